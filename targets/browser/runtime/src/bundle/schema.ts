import { type Json, JsonNumber, type JsonObject, arrayOf, isArray, isObject, member, objectOf, texts } from './json.js';

const KEYWORDS = new Set(
  '$schema title description default $defs $ref anyOf type enum properties required additionalProperties items'.split(' '),
);

/**
 * The part of JSON Schema (2020-12) that `edgekd schema manifest` uses. A keyword that is not of this part is refused
 * when the schema is read, so that no rule of it is silently ignored.
 */
export class Schema {
  constructor(private readonly root: JsonObject) {
    refuseUnknown(root);
  }

  /** What is wrong with a document, as `Expected a - at b`; null where nothing is. */
  problem(document: Json): string | null {
    return this.of(this.root, document, '$');
  }

  private of(schema: JsonObject, value: Json, place: string): string | null {
    const reference = schema.get('$ref');
    if (typeof reference === 'string') return this.of(this.definition(reference), value, place);
    const options = schema.get('anyOf');
    if (isArray(options)) {
      const problems = options.map((each) => this.of(asSchema(each), value, place));
      return problems.includes(null) ? null : (problems[0] ?? null);
    }
    const values = schema.get('enum');
    if (isArray(values) && !values.some((each) => isSame(each, value))) return `Invalid value - at \`${place}\``;
    const type = schema.get('type');
    if (typeof type === 'string' && !isOf(type, value)) return `Expected \`${type}\` - at \`${place}\``;
    if (isObject(value)) return this.ofObject(schema, value, place);
    return isArray(value) ? this.ofArray(schema, value, place) : null;
  }

  private ofObject(schema: JsonObject, value: JsonObject, place: string): string | null {
    const missing = texts(arrayOf(schema, 'required')).find((each) => !value.has(each));
    if (missing !== undefined) return `Object missing required field \`${missing}\` - at \`${place}\``;
    const known = objectOf(schema, 'properties');
    const others = schema.get('additionalProperties');
    for (const [name, each] of value) {
      const rule = known.get(name) ?? others;
      const problem = isObject(rule) ? this.of(rule, each, `${place}.${name}`) : null;
      if (problem !== null) return problem;
    }
    return null;
  }

  private ofArray(schema: JsonObject, value: readonly Json[], place: string): string | null {
    const items = schema.get('items');
    if (!isObject(items)) return null;
    for (const each of value) {
      const problem = this.of(items, each, `${place}[...]`);
      if (problem !== null) return problem;
    }
    return null;
  }

  private definition(reference: string): JsonObject {
    return asSchema(member(objectOf(this.root, '$defs'), reference.replace('#/$defs/', '')));
  }
}

function asSchema(value: Json): JsonObject {
  if (!isObject(value)) throw new Error('a schema is no object');
  return value;
}

function refuseUnknown(schema: JsonObject): void {
  for (const keyword of schema.keys()) {
    if (!KEYWORDS.has(keyword)) throw new Error(`the schema uses ${keyword}, which is not read here`);
  }
  for (const name of ['properties', '$defs']) {
    for (const each of objectOf(schema, name).values()) refuseUnknown(asSchema(each));
  }
  for (const each of arrayOf(schema, 'anyOf')) refuseUnknown(asSchema(each));
  for (const name of ['items', 'additionalProperties']) {
    const each = schema.get(name);
    if (each !== undefined && typeof each !== 'boolean') refuseUnknown(asSchema(each));
  }
}

function isSame(one: Json, other: Json): boolean {
  return one instanceof JsonNumber && other instanceof JsonNumber ? one.value === other.value : one === other;
}

function isOf(type: string, value: Json): boolean {
  switch (type) {
    case 'object':
      return isObject(value);
    case 'array':
      return isArray(value);
    case 'integer':
      return value instanceof JsonNumber && value.isInteger;
    case 'number':
      return value instanceof JsonNumber;
    case 'null':
      return value === null;
    case 'string':
    case 'boolean':
      return typeof value === type;
    default:
      throw new Error(`a schema of the type ${type}`);
  }
}
