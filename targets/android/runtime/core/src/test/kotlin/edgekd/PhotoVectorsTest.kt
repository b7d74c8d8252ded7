package edgekd

import edgekd.bundle.sha256
import edgekd.images.squareOf
import kotlinx.serialization.json.jsonObject
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.assertThrows
import kotlin.math.abs

class PhotoVectorsTest {
    @TestFactory
    fun photos() =
        Vectors.tests("photos") { case ->
            val photo = Vectors.bytes(case.text("photo"))
            val size = case.text("size").toInt()
            val refused = case.orNull("refused")
            if (case.text("needs") in NOT_READ) {
                val error = assertThrows<ImageException> { squareOf(photo, size) }
                assertTrue("does not read" in error.message, error.message)
            } else if (refused != null) {
                assertRefused(refused.jsonObject) { squareOf(photo, size) }
            } else {
                val square = squareOf(photo, size).rgb
                val expected = Vectors.bytes(case.text("square"))
                assertEquals(case.text("sha256"), sha256(expected))
                assertTrue(largest(square, expected) <= case.text("max_difference").toInt()) {
                    "a channel differs by ${largest(square, expected)}"
                }
            }
        }

    private fun largest(
        one: ByteArray,
        other: ByteArray,
    ): Int {
        assertEquals(other.size, one.size)
        return one.indices.maxOf { abs((one[it].toInt() and 0xFF) - (other[it].toInt() and 0xFF)) }
    }

    private companion object {
        /** Formats that the contract lets a runtime leave out, and this one does. */
        val NOT_READ = setOf("tiff")
    }
}
