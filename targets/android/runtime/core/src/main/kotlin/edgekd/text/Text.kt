package edgekd.text

import java.math.BigDecimal
import java.math.MathContext
import java.math.RoundingMode

/** Numbers and quotations as the reasons and messages of every runtime write them (Python's formats). */
private const val LONGEST = 800

/** Python's `.{digits}g`: so many significant digits, half to even on the exact value. */
internal fun general(
    value: Double,
    digits: Int,
): String {
    if (value.isNaN()) return "nan"
    if (value.isInfinite()) return if (value > 0) "inf" else "-inf"
    if (value == 0.0) return if (1 / value < 0) "-0" else "0"
    val rounded = BigDecimal(value).round(MathContext(digits, RoundingMode.HALF_EVEN))
    val exponent = rounded.precision() - rounded.scale() - 1
    if (exponent in -4 until digits) return rounded.stripTrailingZeros().toPlainString()
    val mantissa = rounded.movePointLeft(exponent).stripTrailingZeros().toPlainString()
    val sign = if (exponent < 0) '-' else '+'
    return "${mantissa}e$sign${Math.abs(exponent).toString().padStart(2, '0')}"
}

/** Python's `.{digits}f`. */
internal fun fixed(
    value: Double,
    digits: Int,
): String {
    if (value.isNaN()) return "nan"
    if (value.isInfinite()) return if (value > 0) "inf" else "-inf"
    val shown = BigDecimal(Math.abs(value)).setScale(digits, RoundingMode.HALF_EVEN).toPlainString()
    return if (value < 0 || 1 / value < 0) "-$shown" else shown
}

/** A probability with two decimals, or with two digits where those would be 0.00. */
internal fun share(value: Double): String = if (value >= 0.1) fixed(value, 2) else general(value, 2)

/** Python's `repr` of a text. */
internal fun quoted(text: String): String {
    val quote = if ('\'' in text && '"' !in text) '"' else '\''
    val inside = StringBuilder()
    for (point in points(text)) {
        when {
            point == quote.code || point == '\\'.code -> inside.append('\\').appendCodePoint(point)
            isPrintable(point) -> inside.appendCodePoint(point)
            else -> inside.append(escaped(point))
        }
    }
    return "$quote$inside$quote"
}

/** The text cut to one printable line; it may quote the content of a damaged file. */
internal fun oneLine(text: String): String {
    val all = points(text)
    val cut = if (all.size <= LONGEST) all else all.take(LONGEST) + " …".map { it.code }
    val line = StringBuilder()
    cut.forEach { if (isPrintable(it)) line.appendCodePoint(it) else line.append(escaped(it)) }
    return line.toString()
}

/** The first letters of a text, counted as code points. */
internal fun first(
    text: String,
    most: Int,
): String = points(text).take(most).joinToString("") { String(Character.toChars(it)) }

internal fun length(text: String): Int = text.codePointCount(0, text.length)

internal fun isPrintable(text: String): Boolean = points(text).all(::isPrintable)

private fun points(text: String): List<Int> = text.codePoints().toArray().toList()

private val UNPRINTABLE =
    setOf(
        Character.CONTROL,
        Character.FORMAT,
        Character.SURROGATE,
        Character.PRIVATE_USE,
        Character.UNASSIGNED,
        Character.LINE_SEPARATOR,
        Character.PARAGRAPH_SEPARATOR,
        Character.SPACE_SEPARATOR,
    ).map { it.toInt() }.toSet()

private fun isPrintable(point: Int): Boolean = point == ' '.code || Character.getType(point) !in UNPRINTABLE

private fun escaped(point: Int): String =
    when {
        point == '\n'.code -> "\\n"
        point == '\r'.code -> "\\r"
        point == '\t'.code -> "\\t"
        point < 0x100 -> "\\x" + hex(point, 2)
        point < 0x10000 -> "\\u" + hex(point, 4)
        else -> "\\U" + hex(point, 8)
    }

private fun hex(
    value: Int,
    width: Int,
): String = value.toString(16).padStart(width, '0')
