package edgekd.tasks

import edgekd.bundle.isNumber
import edgekd.bundle.isText
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject

/** What a field of a section has to be. */
internal enum class Kind(
    val holds: (JsonElement) -> Boolean,
) {
    NUMBER({ it.isNumber }),
    NUMBER_OR_NULL({ it is JsonNull || it.isNumber }),
    NUMBERS_BY_NAME_OR_NULL({ it is JsonNull || (it is JsonObject && it.values.all { number -> number.isNumber }) }),
    TEXTS({ it is JsonArray && it.all { text -> text.isText } }),
    OBJECT({ it is JsonObject }),
}

/** Why a section is not of these fields, each of which may be missing; unknown ones are ignored. */
internal fun problemOf(
    section: JsonElement,
    fields: Map<String, Kind>,
): String? {
    if (section !is JsonObject) return "Expected `object` - at `$`"
    val wrong = fields.entries.firstOrNull { (name, kind) -> section[name]?.let { !kind.holds(it) } ?: false }
    return wrong?.let { (name, kind) -> "Expected `${kind.name.lowercase()}` - at `$.$name`" }
}

/** Numbers by name of a field that may be null. */
internal fun JsonObject.numbersByName(name: String): Map<String, Double> =
    (get(name) as? JsonObject)
        ?.mapValues { (_, value) -> (value as kotlinx.serialization.json.JsonPrimitive).content.toDouble() }
        .orEmpty()
