package edgekd.bundle

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException

/** The bytes are not JSON. */
internal class JsonException : Exception()

private const val DEEPEST = 200
private const val WHITE = "\t\n\r"

/** JSON of RFC 8259, strictly: the library's reader takes unquoted words and any depth. */
internal fun parseJson(raw: ByteArray): JsonElement {
    val text =
        try {
            Charsets.UTF_8
                .newDecoder()
                .decode(ByteBuffer.wrap(raw))
                .toString()
        } catch (_: CharacterCodingException) {
            throw JsonException()
        }
    if (text.startsWith('\uFEFF') || isForeign(text)) throw JsonException()
    val element =
        try {
            Json.parseToJsonElement(text)
        } catch (_: SerializationException) {
            throw JsonException()
        }
    check(element)
    return element
}

/**
 * What the library's reader takes although it is none: control characters in texts, and other than white space between them.
 * Arrays and objects that are nested too deeply; a bracket within a text counts, which does not matter.
 */
private fun isForeign(text: String): Boolean {
    var depth = 0
    var quoted = false
    var escaped = false
    for (letter in text) {
        if (letter < ' ' && (quoted || letter !in WHITE)) return true
        if (letter == '"' && !escaped) quoted = !quoted
        escaped = quoted && letter == '\\' && !escaped
        if (letter == '[' || letter == '{') depth++
        if (letter == ']' || letter == '}') depth--
        if (depth > DEEPEST) return true
    }
    return false
}

private fun check(element: JsonElement) {
    when (element) {
        is JsonObject -> element.values.forEach(::check)
        is JsonArray -> element.forEach(::check)
        is JsonPrimitive -> if (!isSound(element)) throw JsonException()
    }
}

private fun isSound(value: JsonPrimitive): Boolean =
    when {
        value.isString -> !hasLoneSurrogate(value.content)
        value is JsonNull || value.content in setOf("true", "false") -> true
        else -> isNumber(value.content) && value.content.toDouble().isFinite()
    }

private fun hasLoneSurrogate(text: String): Boolean =
    text.codePoints().anyMatch { it in Character.MIN_SURROGATE.code..Character.MAX_SURROGATE.code }

internal val JsonElement.isNumber: Boolean
    get() = this is JsonPrimitive && !isString && isNumber(content)

internal val JsonElement.isInteger: Boolean
    get() = this is JsonPrimitive && !isString && content.isNotEmpty() && endOfInteger(content) == content.length

/** Whether a text is a number of RFC 8259. By hand: a manifest may have a million of them. */
internal fun isNumber(text: String): Boolean {
    var at = endOfInteger(text)
    if (at > 0 && at < text.length && text[at] == '.') at = endOfDigits(text, at + 1)
    if (at > 0 && at < text.length && text[at] in "eE") {
        val sign = at + 1
        at = endOfDigits(text, if (sign < text.length && text[sign] in "+-") sign + 1 else sign)
    }
    return at == text.length && at > 0
}

/** Where a whole number without leading zeros ends; -1 where there is none. */
private fun endOfInteger(text: String): Int {
    val start = if (text.startsWith('-')) 1 else 0
    return if (start < text.length && text[start] == '0') start + 1 else endOfDigits(text, start)
}

/** Where digits end; -1 where there is none. */
private fun endOfDigits(
    text: String,
    start: Int,
): Int {
    var at = start
    while (at < text.length && text[at] in '0'..'9') at++
    return if (at > start) at else -1
}

internal val JsonElement.isBoolean: Boolean
    get() = this is JsonPrimitive && !isString && content in setOf("true", "false")

internal val JsonElement.isText: Boolean get() = this is JsonPrimitive && isString
