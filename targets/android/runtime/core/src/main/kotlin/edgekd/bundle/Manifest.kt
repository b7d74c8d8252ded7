package edgekd.bundle

import edgekd.ArtefactException
import edgekd.tasks.Task
import edgekd.tasks.taskNamed
import edgekd.text.first
import edgekd.text.isPrintable
import edgekd.text.length
import edgekd.text.quoted
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.math.BigInteger

internal const val FORMAT_VERSION = "1.10"
internal const val RULE = "centre-square-area-v2"
private const val MOST_CLASSES = 10_000
private const val LONGEST_NAME = 200
private const val AGAIN = "build the bundle again"

/** The range in which a measure has to lie; null means no limit on that side. */
internal class Limit(
    val low: Double?,
    val high: Double?,
)

/** The appearance of the training images, as a normal distribution of sixteen features. */
internal class Appearance(
    val mean: List<Double>,
    val whitening: List<List<Double>>,
    val limit: Double,
)

internal class Sentence(
    val problem: String,
    val remedy: String,
)

/** Limits beyond which a photo has to be taken again, in the order of the manifest. */
internal class CaptureRule(
    val limits: Map<String, Limit>,
    val appearance: Appearance?,
    val coverage: Double?,
    val sentences: Map<String, Sentence>,
)

internal class FileEntry(
    val sha256: String,
    val size: Long,
)

/** What turns the features of an enrolled bundle's model file into outputs: weights [K][F] and bias [K]. */
internal class Head(
    val weights: List<List<Double>>,
    val bias: List<Double>,
) {
    /** F, the number of features. */
    val size: Int get() = weights.firstOrNull()?.size ?: 0
}

/** The parts of a manifest that a runtime reads; all of it was checked by its schema. */
internal class Manifest(
    private val document: JsonObject,
) {
    private val model = document.section("model")
    private val lowering = document.section("lowering")

    val version: String = document.text("version")
    val task: Task = taskOf(document.text("task"))
    val modelName: String = model.text("name")
    val classes: List<String> = model.getValue("classes").jsonArray.map { it.jsonPrimitive.content }
    val resize: String = model["resize"]?.jsonPrimitive?.content ?: RULE
    val colour: String = model["colour"]?.jsonPrimitive?.content ?: "RGB"
    val imageSize: BigInteger = BigInteger(model.text("image_size"))
    val backend: String = lowering.text("backend")
    val completion: String = lowering["completion"]?.jsonPrimitive?.content ?: "complete"
    val completionCommand: String = lowering["completion_command"].orNull()?.content ?: "None"
    val modelFile: String = document.text("model_file")
    val intendedUse: String = document["intended_use"]?.jsonPrimitive?.content.orEmpty()
    val files: Map<String, FileEntry> =
        document.getValue("files").jsonObject.mapValues { (_, entry) ->
            val size = BigInteger(entry.jsonObject.text("size"))
            // A size beyond a Long is that of no file.
            FileEntry(entry.jsonObject.text("sha256"), if (size.bitLength() < Long.SIZE_BITS) size.toLong() else -1)
        }
    val capture: CaptureRule? = (document["capture"] as? JsonObject)?.let(::captureRule)
    val decision: JsonElement = document.getValue("decision")

    /** Null where the model file gives the outputs itself. */
    val head: Head? =
        (document["head"] as? JsonObject)?.let {
            Head(it.getValue("weights").jsonArray.map { row -> row.numbers() }, it.getValue("bias").numbers())
        }

    /** The section `decision` of a manifest that was accepted. */
    val section: JsonObject get() = decision.jsonObject

    /** Sentences that a device must show: no certificate, floors of the policy that the file does not reach. */
    val warnings: List<String> =
        listOfNotNull((document["certificate"] as? JsonObject)?.let { certificateWarning(it, head != null) }) +
            (document["policy"] as? JsonObject)?.let(::policyWarnings).orEmpty()

    companion object {
        private val SCHEMA: Schema by lazy {
            val stream = checkNotNull(Manifest::class.java.getResourceAsStream("/edgekd/manifest.schema.json"))
            Schema(stream.use { parseJson(it.readBytes()) }.jsonObject)
        }

        /**
         * The manifest of its JSON.
         *
         * @throws ArtefactException It is not JSON, lacks a field, contradicts itself, or is of another version.
         */
        fun decode(raw: ByteArray): Manifest {
            val document = renamed(documentOf(raw))
            SCHEMA.problem(document)?.let { throw invalid("manifest", it) }
            val manifest = Manifest(document)
            manifest.task.problemOf(manifest.decision)?.let {
                throw invalid("manifest's section `decision`", it)
            }
            val problems =
                problemsOfModel(manifest) +
                    manifest.task.contradictions(manifest.classes, manifest.section) +
                    problemsOfFiles(manifest) +
                    problemsOfHead(manifest)
            if (problems.isNotEmpty()) {
                throw ArtefactException("the bundle's manifest contradicts itself: ${problems.joinToString("; ")}", AGAIN)
            }
            return manifest
        }

        private fun invalid(
            section: String,
            problem: String,
        ) = ArtefactException("the bundle's $section is not valid: $problem", AGAIN)
    }
}

private fun documentOf(raw: ByteArray): JsonObject {
    val document =
        try {
            parseJson(raw) as? JsonObject
        } catch (_: JsonException) {
            null
        }
    val written = (document?.get("format_version") as? JsonPrimitive)?.content
    val major = written?.substringBefore('.')?.trim()?.takeIf { Regex("[+-]?[0-9]+").matches(it) }
    if (document == null || written == null || major == null) {
        throw ArtefactException(
            "the bundle's manifest is not readable JSON with a format_version",
            "copy the bundle again, or build it again",
        )
    }
    if (BigInteger(major) != BigInteger(FORMAT_VERSION.substringBefore('.'))) {
        throw ArtefactException(
            "the bundle has format version ${first(written, 20)}; this edgekd reads $FORMAT_VERSION",
            "install the edgekd that built it, or build it again",
        )
    }
    return document
}

private class Renamed(
    val path: List<String>,
    val before: String,
    val now: String,
)

private val RENAMED =
    listOf(
        Renamed(listOf("lowering"), "layer_harm", "layer_sensitivity"),
        Renamed(listOf("lowering"), "rescued", "quantisation_aware"),
        Renamed(listOf("lowering", "rungs"), "taken", "chosen"),
        Renamed(listOf("lowering", "rungs"), "remarks", "notes"),
        Renamed(listOf("capture"), "kept", "coverage"),
    )

/** The document with the fields of formats before 1.6 under today's names; a list stands for its members. */
private fun renamed(document: JsonObject): JsonObject =
    RENAMED.fold(document) { whole, each -> changed(whole, each.path, each) as JsonObject }

private fun changed(
    element: JsonElement,
    path: List<String>,
    change: Renamed,
): JsonElement =
    when {
        element is JsonArray -> {
            JsonArray(element.map { if (it is JsonObject) changed(it, path, change) else it })
        }

        element !is JsonObject -> {
            element
        }

        path.isEmpty() && change.before in element -> {
            val value = element[change.now] ?: element.getValue(change.before)
            JsonObject(element - change.before + (change.now to value))
        }

        path.isEmpty() || path[0] !in element -> {
            element
        }

        else -> {
            JsonObject(element + (path[0] to changed(element.getValue(path[0]), path.drop(1), change)))
        }
    }

private fun taskOf(name: String): Task =
    taskNamed(name) ?: throw ArtefactException(
        "the bundle is for the task ${quoted(first(name, 40))}, which is not installed here",
        "install the edgekd that built it, or what brings the task",
    )

private fun problemsOfModel(manifest: Manifest): List<String> {
    val names = manifest.classes
    val problems = mutableListOf<String>()
    if (names.size !in 1..MOST_CLASSES || names.toSet().size != names.size) {
        problems += "classes must be different names (1 to 10,000)"
    } else if (!names.all { isPrintable(it) && length(it) in 1..LONGEST_NAME }) {
        problems += "classes must be printable names of 1 to $LONGEST_NAME letters"
    }
    if (manifest.imageSize !in BigInteger.valueOf(8)..BigInteger.valueOf(4096)) {
        problems += "image_size must lie between 8 and 4096"
    }
    if (manifest.colour != "RGB") problems += "colour must be RGB"
    return problems
}

private fun problemsOfFiles(manifest: Manifest): List<String> {
    val problems = mutableListOf<String>()
    if (manifest.modelFile !in manifest.files) {
        problems += "model_file ${quoted(first(manifest.modelFile, 40))} is not among its files"
    }
    val known = manifest.capture?.appearance
    if (known != null && !isSquare(known)) problems += "capture must have a square whitening and finite limits"
    return problems
}

private fun problemsOfHead(manifest: Manifest): List<String> {
    val head = manifest.head ?: return emptyList()
    val count = manifest.classes.size
    val even = head.size > 0 && head.weights.all { it.size == head.size }
    if (head.weights.size == count && head.bias.size == count && even) return emptyList()
    return listOf("head must have weights [classes][features] and bias [classes]")
}

private fun isSquare(known: Appearance): Boolean =
    known.whitening.size == known.mean.size && known.whitening.all { it.size == known.mean.size }

internal fun captureRule(section: JsonObject): CaptureRule {
    val known = section["appearance"] as? JsonObject
    return CaptureRule(
        limits =
            section["limits"]?.jsonObject.orEmpty().mapValues { (_, limit) ->
                Limit(limit.jsonObject.number("low"), limit.jsonObject.number("high"))
            },
        appearance =
            known?.let {
                Appearance(
                    it.getValue("mean").numbers(),
                    it.getValue("whitening").jsonArray.map { row -> row.numbers() },
                    it
                        .getValue("limit")
                        .jsonPrimitive.content
                        .toDouble(),
                )
            },
        coverage = section.number("coverage"),
        sentences =
            section["sentences"]?.jsonObject.orEmpty().mapValues { (_, sentence) ->
                Sentence(sentence.jsonObject.text("problem"), sentence.jsonObject.text("remedy"))
            },
    )
}

internal fun JsonObject.text(name: String): String = getValue(name).jsonPrimitive.content

internal fun JsonObject.section(name: String): JsonObject = getValue(name).jsonObject

internal fun JsonElement?.orNull(): JsonPrimitive? = (this as? JsonPrimitive)?.takeIf { it !is JsonNull }

/** A number that may be null or missing. */
internal fun JsonObject.number(name: String): Double? = get(name).orNull()?.content?.toDouble()

internal fun JsonElement.numbers(): List<Double> = jsonArray.map { it.jsonPrimitive.content.toDouble() }
