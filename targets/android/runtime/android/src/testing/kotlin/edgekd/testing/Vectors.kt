package edgekd.testing

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.io.File

/** The vectors that `edgekd conformance --out DIR` wrote; `-Dedgekd.vectors=DIR` says where. */
object Vectors {
    private val folder =
        File(checkNotNull(System.getProperty("edgekd.vectors")) { "give -Dedgekd.vectors=DIR, of `edgekd conformance`" })
    private val document = Json.parseToJsonElement(File(folder, "vectors.json").readText()).jsonObject

    fun cases(group: String): List<JsonObject> = document.getValue(group).jsonArray.map { it.jsonObject }

    fun bytes(name: String): ByteArray = File(folder, name).readBytes()
}

fun JsonObject.text(name: String): String = getValue(name).jsonPrimitive.content
