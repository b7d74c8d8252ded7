package edgekd

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.assertThrows
import java.io.File

/** The vectors that `edgekd conformance --out DIR` wrote; `-Dedgekd.vectors=DIR` says where. */
internal object Vectors {
    private val folder =
        File(checkNotNull(System.getProperty("edgekd.vectors")) { "give -Dedgekd.vectors=DIR, of `edgekd conformance`" })
    private val document = Json.parseToJsonElement(File(folder, "vectors.json").readText()).jsonObject

    init {
        assertEquals("1", document.text("vectors_version").substringBefore('.'), "another version of the vectors")
    }

    /** A test for each case of a group; an empty group is a failure. */
    fun tests(
        group: String,
        check: (JsonObject) -> Unit,
    ): List<DynamicTest> {
        val cases = document.getValue(group).jsonArray.map { it.jsonObject }
        assertTrue(cases.isNotEmpty(), "there are no $group among the vectors")
        return cases.map { case -> DynamicTest.dynamicTest(case.text("id")) { check(case) } }
    }

    fun bytes(name: String): ByteArray = File(folder, name).readBytes()
}

internal fun JsonObject.text(name: String): String = getValue(name).jsonPrimitive.content

internal fun JsonObject.orNull(name: String): JsonElement? = get(name)?.takeIf { it !is JsonNull }

internal fun JsonObject.texts(name: String): List<String> = getValue(name).jsonArray.map { it.jsonPrimitive.content }

/** A number, or one of the words `nan`, `inf`, `-inf`. */
internal fun JsonElement.number(): Double =
    when ((this as JsonPrimitive).content) {
        "nan" -> Double.NaN
        "inf" -> Double.POSITIVE_INFINITY
        "-inf" -> Double.NEGATIVE_INFINITY
        else -> content.toDouble()
    }

internal fun JsonObject.reasons(): List<Pair<String, String>> =
    getValue("reasons").jsonArray.map { it.jsonObject.text("code") to it.jsonObject.text("text") }

/** Check that some work ends with the error that the vectors have. */
internal fun assertRefused(
    refused: JsonObject,
    work: () -> Unit,
) {
    val error = assertThrows<EdgekdException> { work() }
    assertEquals(refused.text("error"), kindOf(error), error.message)
    assertEquals(refused.text("exit_code").toInt(), error.exitCode)
    if (refused.text("exact") == "true") {
        assertEquals(refused.text("message"), error.message)
        assertEquals(refused.text("hint"), error.hint)
    } else {
        assertTrue(error.message.startsWith(refused.text("message")), error.message)
    }
}

internal fun kindOf(error: EdgekdException): String =
    when (error) {
        is ImageException -> "image"
        is InputException -> "input"
        is ArtefactException -> "artefact"
        is MissingDependencyException -> "missing"
        is DeviceUnreachableException -> "device"
    }
