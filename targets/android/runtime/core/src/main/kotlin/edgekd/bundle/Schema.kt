package edgekd.bundle

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/**
 * The part of JSON Schema (2020-12) that `edgekd schema manifest` uses. A keyword that is not of this part is refused
 * when the schema is read, so that no rule of it is silently ignored.
 */
internal class Schema(
    private val root: JsonObject,
) {
    init {
        refuseUnknown(root)
    }

    /** What is wrong with a document, as `Expected a, at $.b`; null where nothing is. */
    fun problem(document: JsonElement): String? = problem(root, document, "$")

    private fun problem(
        schema: JsonObject,
        value: JsonElement,
        place: String,
    ): String? {
        schema["\$ref"]?.let { return problem(definition(it.jsonPrimitive.content), value, place) }
        schema["anyOf"]?.let { options ->
            val problems = options.jsonArray.map { problem(it.jsonObject, value, place) }
            return if (null in problems) null else problems.firstOrNull { it != null }
        }
        schema["enum"]?.let { if (value !in it.jsonArray) return "Invalid value - at `$place`" }
        val type = schema["type"]?.jsonPrimitive?.content
        if (type != null && !isOf(type, value)) return "Expected `$type` - at `$place`"
        return when (value) {
            is JsonObject -> problemOfObject(schema, value, place)
            is JsonArray -> problemOfArray(schema, value, place)
            else -> null
        }
    }

    private fun problemOfObject(
        schema: JsonObject,
        value: JsonObject,
        place: String,
    ): String? {
        val required = schema["required"]?.jsonArray.orEmpty().map { it.jsonPrimitive.content }
        required.firstOrNull { it !in value }?.let { return "Object missing required field `$it` - at `$place`" }
        val known = schema["properties"]?.jsonObject.orEmpty()
        val others = schema["additionalProperties"]?.jsonObject
        return value.entries.firstNotNullOfOrNull { (name, member) ->
            (known[name]?.jsonObject ?: others)?.let { problem(it, member, "$place.$name") }
        }
    }

    private fun problemOfArray(
        schema: JsonObject,
        value: JsonArray,
        place: String,
    ): String? {
        val items = schema["items"]?.jsonObject ?: return null
        return value.firstNotNullOfOrNull { problem(items, it, "$place[...]") }
    }

    private fun definition(reference: String): JsonObject =
        root
            .getValue("\$defs")
            .jsonObject
            .getValue(reference.removePrefix("#/\$defs/"))
            .jsonObject

    private fun refuseUnknown(schema: JsonObject) {
        val unknown = schema.keys - KEYWORDS
        require(unknown.isEmpty()) { "the schema uses $unknown, which is not read here" }
        for (name in listOf("properties", "\$defs")) {
            schema[name]?.jsonObject?.values?.forEach { refuseUnknown(it.jsonObject) }
        }
        schema["anyOf"]?.jsonArray?.forEach { refuseUnknown(it.jsonObject) }
        listOf("items", "additionalProperties").mapNotNull { schema[it] }.forEach { refuseUnknown(it.jsonObject) }
    }

    private companion object {
        val KEYWORDS =
            setOf(
                "\$schema",
                "title",
                "description",
                "default",
                "\$defs",
                "\$ref",
                "anyOf",
                "type",
                "enum",
                "properties",
                "required",
                "additionalProperties",
                "items",
            )

        fun isOf(
            type: String,
            value: JsonElement,
        ): Boolean =
            when (type) {
                "object" -> value is JsonObject
                "array" -> value is JsonArray
                "string" -> value is JsonPrimitive && value.isString
                "integer" -> value.isInteger
                "number" -> value.isNumber
                "boolean" -> value.isBoolean
                "null" -> value is JsonNull
                else -> error("a schema of the type $type")
            }
    }
}
