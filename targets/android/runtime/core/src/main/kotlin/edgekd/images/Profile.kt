package edgekd.images

import java.util.zip.DataFormatException
import java.util.zip.Inflater
import kotlin.math.abs
import kotlin.math.pow
import kotlin.math.round

private const val MAX_PROFILE = 4_000_000
private const val ALIKE = 2
private const val STEPS = 1 shl 14
private const val MOST_TAGS = 100L
private const val FIXED_ONE = 65_536.0
private val SRGB =
    listOf(
        doubleArrayOf(0.43607, 0.38515, 0.14307),
        doubleArrayOf(0.22249, 0.71687, 0.06061),
        doubleArrayOf(0.01392, 0.09708, 0.71410),
    )
private val CURVES = listOf("rTRC", "gTRC", "bTRC")
private val PRIMARIES = listOf("rXYZ", "gXYZ", "bXYZ")
private val PARAMETERS = listOf(1, 3, 4, 5, 7)

/** A profile contradicts itself, or is not a matrix with curves. */
private class ProfileException(
    message: String,
) : Exception(message)

/**
 * Conversion of a profile's colours to sRGB.
 *
 * @property linear Linear light of each of the 256 levels, by channel.
 * @property matrix Maps the profile's linear light to that of sRGB.
 */
internal class ColourConversion(
    private val linear: List<FloatArray>,
    private val matrix: List<FloatArray>,
) {
    /** The pixels RGB in sRGB, in place. */
    fun convert(rgb: ByteArray) {
        for (place in rgb.indices step 3) {
            val light = FloatArray(3) { linear[it][rgb[place + it].toInt() and 0xFF] }
            for (channel in 0..2) {
                val row = matrix[channel]
                val value = light[0] * row[0] + light[1] * row[1] + light[2] * row[2]
                val step = value.coerceIn(0f, 1f) * (STEPS - 1)
                rgb[place + channel] = LEVELS[round(step.toDouble()).toInt()]
            }
        }
    }

    /** Whether it changes no colour of a grid by more than [ALIKE] levels. */
    fun isSrgb(): Boolean {
        val steps = (0..17).map { (15 * it).toByte() }
        val grid = steps.flatMap { r -> steps.flatMap { g -> steps.flatMap { b -> listOf(r, g, b) } } }.toByteArray()
        val converted = grid.copyOf().also(::convert)
        return grid.indices.all { abs((grid[it].toInt() and 0xFF) - (converted[it].toInt() and 0xFF)) <= ALIKE }
    }

    private companion object {
        /** The sRGB level of each step of linear light (IEC 61966-2-1). */
        val LEVELS: ByteArray by lazy {
            ByteArray(STEPS) {
                val light = it.toDouble() / (STEPS - 1)
                val level = if (light <= 0.0031308) 12.92 * light else 1.055 * light.pow(1 / 2.4) - 0.055
                round(255 * level).toInt().toByte()
            }
        }
    }
}

/** The ICC profile that an encoded image carries, or null. */
internal fun profileIn(
    data: Data,
    format: String,
): ByteArray? =
    when (format) {
        "bmp" -> bmpProfile(data)
        "jpeg" -> inJpeg(data)
        "png" -> inPng(data)
        "webp" -> webpProfile(data)
        else -> null
    }

/** The profile, joined from its numbered parts in APP2 segments (ICC.1, annex B.4). */
private fun inJpeg(data: Data): ByteArray? {
    val parts = sortedMapOf<Int, ByteArray>()
    for (segment in leadingSegments(data)) {
        if (segment.marker != 0xE2 || !data.startsWith("ICC_PROFILE\u0000", segment.start)) continue
        val part = data.slice(segment.start + 14, segment.end)
        if (part.isEmpty()) continue
        val known = parts.getOrPut(data.byte(segment.start + 12)) { part }
        if (!known.contentEquals(part)) throw notRead()
    }
    if (parts.keys.toList() != (1..parts.size).toList()) throw notRead()
    return parts.values.fold(ByteArray(0)) { joined, part -> joined + part }.takeIf { it.isNotEmpty() }
}

private fun inPng(data: Data): ByteArray? {
    val packed = pngChunk(data, "iCCP") ?: return null
    val name = packed.indexOf(0)
    if (name < 0) throw notRead()
    val unpacker = Inflater()
    try {
        unpacker.setInput(packed, minOf(name + 2, packed.size), maxOf(0, packed.size - name - 2))
        val block = ByteArray(MAX_PROFILE)
        var size = 0
        while (!unpacker.finished() && !unpacker.needsInput() && size < MAX_PROFILE) {
            size += unpacker.inflate(block, size, MAX_PROFILE - size)
        }
        return block.copyOf(size)
    } catch (_: DataFormatException) {
        throw notRead()
    } finally {
        unpacker.end()
    }
}

private fun notRead() = Unreadable("has a colour profile that is not read", "convert it to sRGB in an image program")

/** The conversion from the colours of a profile to sRGB; null where they are sRGB, or grey. */
internal fun conversionOf(profile: ByteArray): ColourConversion? {
    val data = Data(profile)
    val space = data.text(16, 4)
    if (space == "GRAY") return null
    val conversion =
        try {
            if (space != "RGB ") throw ProfileException("not of such pixels")
            conversion(tagsOf(data))
        } catch (_: ProfileException) {
            null
        } catch (_: IndexOutOfBoundsException) {
            // cut off
            null
        }
    if (conversion == null) {
        if (namesSrgb(profile)) return null
        throw notRead()
    }
    return if (conversion.isSrgb()) null else conversion
}

private fun namesSrgb(profile: ByteArray): Boolean {
    val text = String(profile, Charsets.ISO_8859_1)
    return "sRGB" in text || "\u0000s\u0000R\u0000G\u0000B" in text
}

private fun tagsOf(profile: Data): Map<String, Data> {
    val count = profile.int(128)
    if (count > MOST_TAGS) throw ProfileException("more tags than a profile has")
    return (0 until count.toInt()).associate {
        val place = 132 + 12 * it
        val start = profile.int(place + 4)
        val end = start + profile.int(place + 8)
        val size = profile.size.toLong()
        profile.text(place, 4) to Data(profile.slice(minOf(start, size).toInt(), minOf(end, size).toInt()))
    }
}

private fun conversion(tags: Map<String, Data>): ColourConversion {
    val primaries = PRIMARIES.map { xyz(tags[it] ?: throw ProfileException("no $it")) }
    val curves = CURVES.map { curve(tags[it] ?: throw ProfileException("no $it")) }
    val inverse = inverted(SRGB)
    val matrix =
        List(3) { row -> DoubleArray(3) { column -> (0..2).sumOf { inverse[row][it] * primaries[column][it] } } }
    if (!(curves + matrix).all { row -> row.all { it.isFinite() } }) throw ProfileException("not a number")
    val floats = { rows: List<DoubleArray> -> rows.map { row -> FloatArray(row.size) { row[it].toFloat() } } }
    return ColourConversion(floats(curves), floats(matrix))
}

private fun xyz(tag: Data): DoubleArray {
    if (!tag.startsWith("XYZ ")) throw ProfileException("no coordinates")
    return DoubleArray(3) { fixed(tag, 8 + 4 * it) }
}

private fun fixed(
    tag: Data,
    place: Int,
): Double = tag.int(place).toInt() / FIXED_ONE

/** Linear light of the levels 0 … 255 by the curve of a tag (ICC.1, 10.6 and 10.18). */
private fun curve(tag: Data): DoubleArray {
    if (tag.startsWith("para")) return parametric(tag)
    if (!tag.startsWith("curv")) throw ProfileException("no curve")
    val count = tag.int(8)
    if (count == 0L) return DoubleArray(256) { it / 255.0 }
    if (12 + 2 * count > tag.size) throw ProfileException("a curve that is cut off")
    val values = IntArray(count.toInt()) { tag.short(12 + 2 * it) }
    if (count == 1L) return DoubleArray(256) { (it / 255.0).pow(values[0] / 256.0) }
    return DoubleArray(256) { interpolated(it / 255.0, values) }
}

private fun interpolated(
    level: Double,
    values: IntArray,
): Double {
    val place = level * (values.size - 1)
    val below = minOf(place.toInt(), values.size - 2)
    val low = values[below] / 65535.0
    return low + (values[below + 1] / 65535.0 - low) * (place - below)
}

private fun parametric(tag: Data): DoubleArray {
    val form = tag.short(8)
    if (form >= PARAMETERS.size) throw ProfileException("an unknown form of curve")
    val given = DoubleArray(7) { if (it < PARAMETERS[form]) fixed(tag, 12 + 4 * it) else 0.0 }
    val g = given[0]
    val a = given[1]
    val b = given[2]
    if (form == 0) return DoubleArray(256) { (it / 255.0).pow(g) }
    val simple = form == 1 || form == 2 // the last number of form 2 is an offset
    val c = if (simple) 0.0 else given[3]
    val d = if (simple) -b / a else given[4]
    val e = if (simple) given[3] else given[5]
    val f = if (simple) given[3] else given[6]
    return DoubleArray(256) {
        val level = it / 255.0
        if (level >= d) maxOf(a * level + b, 0.0).pow(g) + e else c * level + f
    }
}

/** The inverse of a matrix of three rows, by its cofactors. */
private fun inverted(rows: List<DoubleArray>): List<DoubleArray> {
    val cofactor = { row: Int, column: Int ->
        val (r, s) = listOf((row + 1) % 3, (row + 2) % 3)
        val (c, d) = listOf((column + 1) % 3, (column + 2) % 3)
        rows[r][c] * rows[s][d] - rows[r][d] * rows[s][c]
    }
    val determinant = (0..2).sumOf { rows[0][it] * cofactor(0, it) }
    return List(3) { row -> DoubleArray(3) { column -> cofactor(column, row) / determinant } }
}
