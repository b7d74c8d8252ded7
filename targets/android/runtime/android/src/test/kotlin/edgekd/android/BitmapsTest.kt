package edgekd.android

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Color
import edgekd.ImageException
import edgekd.Photo
import edgekd.testing.DeviceRunner
import edgekd.testing.Vectors
import org.junit.After
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

private const val OPAQUE_BLACK = 0xFF shl 24

/** Android's own Bitmap, by Robolectric's native graphics. */
@RunWith(DeviceRunner::class)
class BitmapsTest {
    private val classifier = preprocessingOnly()

    private fun square(photo: Photo) = classifier.preprocessed(photo)

    @After
    fun close() = classifier.close()

    @Test
    fun `a bitmap has the same square as its pixels`() {
        for ((width, height) in listOf(640 to 480, 333 to 700, 64 to 64, 1501 to 1000)) {
            val argb = IntArray(width * height) { OPAQUE_BLACK or (it * 2_654_435 and 0xFFFFFF) }
            val bitmap = Bitmap.createBitmap(argb, width, height, Bitmap.Config.ARGB_8888)
            val rgb = ByteArray(3 * width * height)
            argb.forEachIndexed { index, pixel ->
                for (channel in 0..2) rgb[3 * index + channel] = (pixel shr (16 - 8 * channel)).toByte()
            }
            assertArrayEquals("$width x $height", square(Photo.Rgb(rgb, width, height)), square(bitmap.toPhoto()))
        }
    }

    @Test
    fun `a PNG that Android decoded has the same square as its bytes`() {
        for (name in listOf("rgb.png", "grey.png", "opaque.png")) {
            val encoded = Vectors.bytes("photos/$name")
            val bitmap = BitmapFactory.decodeByteArray(encoded, 0, encoded.size)
            assertArrayEquals(name, square(Photo.Encoded(encoded)), square(bitmap.toPhoto()))
        }
    }

    @Test
    fun `bitmaps of other kinds are taken as sRGB`() {
        // These colours are exact in all three. Robolectric has no hardware bitmaps: a copy of that kind is a plain one.
        val argb = IntArray(64 * 64) { if (it % 3 == 0) OPAQUE_BLACK or 0xFFFFFF else OPAQUE_BLACK }
        val plain = Bitmap.createBitmap(argb, 64, 64, Bitmap.Config.ARGB_8888)
        for (config in listOf(Bitmap.Config.RGB_565, Bitmap.Config.RGBA_F16, Bitmap.Config.HARDWARE)) {
            val other = plain.copy(config, false)
            assertArrayEquals("$config", square(plain.toPhoto()), square(other.toPhoto()))
            assertTrue(!other.isRecycled)
        }
    }

    @Test
    fun `bitmaps that are no photo are refused`() {
        val transparent = Bitmap.createBitmap(8, 8, Bitmap.Config.ARGB_8888).apply { eraseColor(Color.RED) }
        transparent.setPixel(3, 3, 0x80FF0000.toInt())
        val colourless = Bitmap.createBitmap(8, 8, Bitmap.Config.ALPHA_8)
        val recycled = Bitmap.createBitmap(8, 8, Bitmap.Config.ARGB_8888).apply { recycle() }
        val messages = listOf(transparent, colourless, recycled).map { assertThrows(ImageException::class.java) { it.toPhoto() }.message }
        val expected =
            listOf(
                "the bitmap is transparent in places, and what lies under them is not the photo",
                "the bitmap has no colours",
                "the bitmap is recycled",
            )
        assertEquals(expected, messages)
    }
}
