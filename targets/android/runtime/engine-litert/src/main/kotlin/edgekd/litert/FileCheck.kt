package edgekd.litert

import java.nio.ByteBuffer
import java.nio.ByteOrder

private const val DEEPEST = 64
private const val MOST_TABLES = 1_000_000
private const val OFFSET = 4
private const val PLACE = 2
private const val IDENTIFIER = "TFL3"
private const val ROOT = "Model"

/** Texts by table that the library takes to be there, though the schema does not: names of signatures and of their ports. */
private val REQUIRED = mapOf("SignatureDef" to 8, "TensorMap" to 4)

/**
 * Whether every offset of a LiteRT file leads to what it should, within the file.
 *
 * The library follows the offsets of a damaged file out of memory, and the process ends; Python's interpreter checks
 * them first, as this does.
 *
 * Source: FlatBuffers' `Verifier` (verifier.h), over the tables of TensorFlow Lite's schema, version 3.
 */
internal class FileCheck private constructor(
    private val file: ByteBuffer,
) {
    private val size = file.limit().toLong()
    private var tables = 0

    private fun isSound(): Boolean {
        if (size < 2 * OFFSET) return false
        val identifier = String(CharArray(OFFSET) { file.get(OFFSET + it).toInt().toChar() })
        return identifier == IDENTIFIER && followed(0)?.let { isTable(it, ROOT, 1) } == true
    }

    private fun isTable(
        at: Long,
        name: String,
        depth: Int,
    ): Boolean {
        tables++
        if (depth > DEEPEST || tables > MOST_TABLES || !holds(at, OFFSET)) return false
        val places = at - file.getInt(at.toInt())
        if (!holds(places, PLACE)) return false
        val length = short(places)
        if (length % PLACE != 0 || !spans(places, length.toLong())) return false
        val table = Table(at, places, length, depth)
        return TABLES.getValue(name).all { field -> isField(table, field) } &&
            REQUIRED[name].let { it == null || placeOf(table, it) != null }
    }

    private class Table(
        val at: Long,
        val places: Long,
        val length: Int,
        val depth: Int,
    )

    private fun placeOf(
        table: Table,
        slot: Int,
    ): Long? {
        val distance = if (slot < table.length) short(table.places + slot) else 0
        return if (distance == 0) null else table.at + distance
    }

    private fun isField(
        table: Table,
        field: Field,
    ): Boolean {
        val place = placeOf(table, field.slot) ?: return true
        if (field.bytes > 0 && !field.isVector) return holds(place, field.bytes)
        val target = followed(place) ?: return false
        return when {
            field.isVector -> isVector(target, field, table.depth)
            field.isText -> isText(target)
            field.isUnion -> isUnion(table, field, target)
            else -> isTable(target, field.name, table.depth + 1)
        }
    }

    private fun isVector(
        at: Long,
        field: Field,
        depth: Int,
    ): Boolean {
        val bytes = if (field.bytes > 0) field.bytes else OFFSET
        val count = countOf(at, bytes) ?: return false
        if (field.bytes > 0) return true
        return (0 until count).all { index ->
            val place = at + OFFSET + OFFSET * index
            val target = place + unsigned(place)
            if (field.isText) isText(target) else isTable(target, field.name, depth + 1)
        }
    }

    /** Number of elements of a vector that lies within the file; null where it does not. */
    private fun countOf(
        at: Long,
        bytes: Int,
    ): Long? {
        if (!holds(at, OFFSET)) return null
        val count = unsigned(at)
        return count.takeIf { it < Int.MAX_VALUE / bytes && spans(at, OFFSET + it * bytes) }
    }

    private fun isText(at: Long): Boolean {
        val end = at + OFFSET + (countOf(at, 1) ?: return false)
        return spans(end, 1) && file.get(end.toInt()) == 0.toByte()
    }

    /** The field before a union's has the number of its table; one of a newer schema is not looked at. */
    private fun isUnion(
        table: Table,
        field: Field,
        target: Long,
    ): Boolean {
        val place = placeOf(table, field.slot - PLACE) ?: return true
        if (!spans(place, 1)) return false
        val name = UNIONS.getValue(field.name)[file.get(place.toInt()).toInt() and 0xFF]
        return name == null || isTable(target, name, table.depth + 1)
    }

    /** Where an offset leads; null where that is outside of the file. */
    private fun followed(place: Long): Long? {
        if (!holds(place, OFFSET)) return null
        val distance = unsigned(place)
        return (place + distance).takeIf { distance in 1..Int.MAX_VALUE && spans(it, 1) }
    }

    private fun holds(
        at: Long,
        bytes: Int,
    ): Boolean = at % bytes == 0L && spans(at, bytes.toLong())

    private fun spans(
        at: Long,
        bytes: Long,
    ): Boolean = at >= 0 && bytes < size && at <= size - bytes

    private fun short(at: Long): Int = file.getShort(at.toInt()).toInt() and 0xFFFF

    private fun unsigned(at: Long): Long = file.getInt(at.toInt()).toLong() and 0xFFFFFFFFL

    /**
     * A field: a number of so many [bytes], a text, a union or a table, or a vector of one of those.
     *
     * @property name Of the table or the union.
     */
    private class Field(
        val slot: Int,
        kind: String,
    ) {
        private val element = kind.removePrefix("[")
        val isVector = kind != element
        val isText = element == "s"
        val isUnion = element.startsWith("<")
        val bytes = element.toIntOrNull() ?: 0
        val name = element.removePrefix("<")
    }

    companion object {
        private val LINES: List<List<String>> by lazy {
            val stream = checkNotNull(FileCheck::class.java.getResourceAsStream("/edgekd/litert/tables.txt"))
            stream.bufferedReader().useLines { lines -> lines.map { it.split(' ') }.toList() }
        }
        private val TABLES: Map<String, List<Field>> by lazy {
            LINES.filter { !it[0].startsWith("<") }.associate { line ->
                line[0] to line.drop(1).map { Field(it.substringBefore(':').toInt(), it.substringAfter(':')) }
            }
        }
        private val UNIONS: Map<String, Map<Int, String>> by lazy {
            LINES.filter { it[0].startsWith("<") }.associate { line ->
                line[0].drop(1) to line.drop(1).associate { it.substringBefore(':').toInt() to it.substringAfter(':') }
            }
        }

        /** Whether the file can be given to the library. */
        fun isSound(file: ByteBuffer): Boolean = FileCheck(file.duplicate().order(ByteOrder.LITTLE_ENDIAN)).isSound()
    }
}
