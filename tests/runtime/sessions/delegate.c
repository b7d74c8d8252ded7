/* A delegate for TensorFlow Lite that takes TAKES nodes of the graph (-1: all of them) and computes
 * nothing. The structures are the heads of those in tensorflow/lite/core/c/common.h; the room
 * behind each stands for what later versions added. */
#include <stddef.h>
#include <stdint.h>

typedef struct { int size; int data[4096]; } Nodes;
typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*release)(Context *, void *);
  int (*prepare)(Context *, void *);
  int (*invoke)(Context *, void *);
  void *profiling;
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *room[8];
} Kernel;

struct Context {
  size_t tensors_size;
  int (*plan)(Context *, Nodes **);
  void *tensors, *impl, *resize, *report, *add, *node;
  int (*replace)(Context *, Kernel, const Nodes *, Delegate *);
};

struct Delegate {
  void *data;
  int (*prepare)(Context *, Delegate *);
  void *copy_from, *copy_to, *release;
  int64_t flags;
  void *room[8];
};

static int nothing(Context *context, void *node) { return 0; }

static int take(Context *context, Delegate *delegate) {
  static Nodes chosen;
  Nodes *plan;
  Kernel kernel = {.prepare = nothing, .invoke = nothing, .custom_name = "Test", .version = 1};
  if (FAILS || context->plan(context, &plan)) return 1;
  chosen.size = TAKES < 0 ? plan->size : TAKES;
  for (int i = 0; i < chosen.size; i++) chosen.data[i] = plan->data[i];
  return chosen.size ? context->replace(context, kernel, &chosen, delegate) : 0;
}

static Delegate only = {.prepare = take};

Delegate *tflite_plugin_create_delegate(char **k, char **v, size_t n, void (*say)(const char *)) {
  if (ABSENT) { say("no device of this kind"); return 0; }
  return &only;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {}
