package edgekd

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import java.io.File
import kotlin.math.abs

/** A folder with `vectors.json` and the files that it names. */
internal class VectorFolder(
    place: String,
) {
    private val folder = File(place)
    private val document = Json.parseToJsonElement(File(folder, "vectors.json").readText()).jsonObject

    fun cases(group: String): List<JsonObject> = document.getValue(group).jsonArray.map { it.jsonObject }

    fun bytes(name: String): ByteArray = File(folder, name).readBytes()
}

/** The vectors that `edgekd conformance --out DIR` wrote; `-Dedgekd.vectors=DIR` says where. */
internal object Vectors {
    private val folder =
        VectorFolder(checkNotNull(System.getProperty("edgekd.vectors")) { "give -Dedgekd.vectors=DIR, of `edgekd conformance`" })

    fun cases(group: String): List<JsonObject> = folder.cases(group)

    fun bytes(name: String): ByteArray = folder.bytes(name)
}

/** Require Python's answer, and return the largest difference of a logit. */
internal fun requireSame(
    case: JsonObject,
    prediction: Prediction,
): Double {
    val id = case.text("id")
    val expected = case.getValue("logits").jsonArray.map { it.jsonPrimitive.content.toDouble() }
    val difference = expected.indices.maxOf { abs(expected[it] - prediction.logits[it]) }
    assertTrue(difference <= case.text("logits_tolerance").toDouble()) { "$id: a logit differs by $difference" }
    assertEquals(case.text("label"), prediction.label, id)
    assertEquals(case.text("decision"), prediction.decision.name, id)
    assertEquals(case.texts("reasons"), prediction.reasons.map { it.code }, id)
    assertEquals(case.texts("conformal_set"), prediction.conformalSet, id)
    return difference
}

internal fun JsonObject.text(name: String): String = getValue(name).jsonPrimitive.content

internal fun JsonObject.texts(name: String): List<String>? =
    when (val value = getValue(name)) {
        is JsonNull -> null
        is JsonArray -> value.map { it.jsonPrimitive.content }
        else -> error("$name is no list")
    }
