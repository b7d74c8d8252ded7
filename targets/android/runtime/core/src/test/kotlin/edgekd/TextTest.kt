package edgekd

import edgekd.bundle.isNumber
import edgekd.text.fixed
import edgekd.text.general
import edgekd.text.oneLine
import edgekd.text.quoted
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

/** Expected texts are those of Python's format and repr. */
class TextTest {
    @Test
    fun `general has significant digits`() {
        val expected =
            mapOf(
                0.0 to "0",
                1.0 to "1",
                0.5 to "0.5",
                123.4 to "123",
                1234.0 to "1.23e+03",
                0.00012345 to "0.000123",
                0.000012345 to "1.23e-05",
                999.9 to "1e+03",
                2.675 to "2.67",
                1e300 to "1e+300",
                -0.0456 to "-0.0456",
                Double.NaN to "nan",
                Double.NEGATIVE_INFINITY to "-inf",
                -0.0 to "-0",
                100.0 to "100",
            )
        expected.forEach { (value, text) -> assertEquals(text, general(value, 3), value.toString()) }
    }

    @Test
    fun `fixed has decimals of the exact value`() {
        val expected = mapOf(2.675 to "2.67", 0.125 to "0.12", 0.375 to "0.38", -0.001 to "-0.00", 12.0 to "12.00")
        expected.forEach { (value, text) -> assertEquals(text, fixed(value, 2), value.toString()) }
    }

    @Test
    fun `quoted is a repr`() {
        val expected =
            mapOf(
                "a" to "'a'",
                "it's" to "\"it's\"",
                "'\"" to "'\\'\"'",
                "a\nb\u0007" to "'a\\nb\\x07'",
                "\u200b" to "'\\u200b'",
                "\\" to "'\\\\'",
                "é" to "'é'",
            )
        expected.forEach { (text, shown) -> assertEquals(shown, quoted(text)) }
    }

    @Test
    fun `a message is one line of bounded length`() {
        assertEquals("a\\nb", oneLine("a\nb"))
        assertEquals("x".repeat(800) + " …", oneLine("x".repeat(2000)))
    }

    @Test
    fun `numbers are those of JSON`() {
        val numbers = listOf("0", "-0", "10", "-1.5", "0.25", "1e5", "1E+05", "-2.5e-300")
        val others = listOf("", "-", "01", "+1", ".5", "1.", "1e", "1e+", "0x1", "1.5.5", "NaN", "1 ", "--1", "e5")
        assertEquals(numbers, numbers.filter(::isNumber))
        assertEquals(emptyList<String>(), others.filter(::isNumber))
    }
}
