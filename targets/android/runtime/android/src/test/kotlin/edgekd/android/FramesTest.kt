package edgekd.android

import android.graphics.ImageFormat
import android.graphics.Rect
import android.media.Image
import edgekd.ImageException
import edgekd.Photo
import edgekd.testing.DeviceRunner
import org.junit.After
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import java.nio.ByteBuffer
import kotlin.random.Random

private const val WIDTH = 96
private const val HEIGHT = 64

/** Frames in the two layouts of phones: three planes, and U and V interleaved, with padded rows. */
@RunWith(DeviceRunner::class)
class FramesTest {
    private val classifier = preprocessingOnly()
    private val random = Random(0)
    private val luma = random.nextBytes(WIDTH * HEIGHT)
    private val blue = random.nextBytes(WIDTH * HEIGHT / 4)
    private val red = random.nextBytes(WIDTH * HEIGHT / 4)

    @After
    fun close() = classifier.close()

    private fun packed(turn: Int): Photo.Yuv {
        val (y, u, v) = listOf(luma to WIDTH, blue to WIDTH / 2, red to WIDTH / 2).map { Photo.Plane(it.first, it.second, 1) }
        return Photo.Yuv(y, u, v, WIDTH, HEIGHT, turn)
    }

    /** As a phone gives them: rows of Y padded, U and V one buffer whose plane of V starts a byte later and ends a byte early. */
    private fun interleaved(): List<FramePlane> {
        val stride = WIDTH + 32
        val y = ByteArray(stride * (HEIGHT - 1) + WIDTH)
        for (row in 0 until HEIGHT) luma.copyInto(y, row * stride, row * WIDTH, (row + 1) * WIDTH)
        val both = ByteArray(stride * (HEIGHT / 2 - 1) + WIDTH)
        for (row in 0 until HEIGHT / 2) {
            for (column in 0 until WIDTH / 2) {
                both[row * stride + 2 * column] = blue[row * WIDTH / 2 + column]
                both[row * stride + 2 * column + 1] = red[row * WIDTH / 2 + column]
            }
        }
        val u = ByteBuffer.allocateDirect(both.size - 1).put(both, 0, both.size - 1)
        val v = ByteBuffer.allocateDirect(both.size - 1).put(both, 1, both.size - 1)
        val direct = ByteBuffer.allocateDirect(y.size).put(y)
        return listOf(FramePlane(direct, stride, 1), FramePlane(u, stride, 2), FramePlane(v, stride, 2))
    }

    private class Frame(
        private val parts: List<FramePlane>,
        private val kind: Int,
    ) : Image() {
        override fun getFormat() = kind

        override fun getWidth() = WIDTH

        override fun getHeight() = HEIGHT

        override fun getTimestamp() = 0L

        override fun getTransform() = 0

        override fun getScalingMode() = 0

        override fun getCropRect() = Rect(0, 0, WIDTH, HEIGHT)

        override fun getPlanes(): Array<Plane> =
            parts
                .map {
                    object : Plane() {
                        override fun getRowStride() = it.rowStride

                        override fun getPixelStride() = it.pixelStride

                        override fun getBuffer() = it.buffer
                    }
                }.toTypedArray()

        override fun close() = Unit
    }

    @Test
    fun `both layouts of a frame have one square`() {
        for (turn in listOf(0, 90, 180, 270)) {
            val frame = Frame(interleaved(), ImageFormat.YUV_420_888)
            assertArrayEquals("$turn", classifier.preprocessed(packed(turn)), classifier.preprocessed(frame.toPhoto(turn)))
        }
    }

    @Test
    fun `a frame is copied, and its buffers stay where they were`() {
        val planes = interleaved()
        val places = planes.map { it.buffer.position() }
        val photo = photoOf(planes, WIDTH, HEIGHT, 0)
        assertEquals(places, planes.map { it.buffer.position() })
        val before = classifier.preprocessed(photo)
        planes.forEach { plane -> repeat(plane.buffer.capacity()) { plane.buffer.put(it, 0) } }
        assertArrayEquals(before, classifier.preprocessed(photo))
    }

    @Test
    fun `frames of another format are refused`() {
        val jpeg = assertThrows(ImageException::class.java) { Frame(interleaved(), ImageFormat.JPEG).toPhoto() }
        assertEquals("the frame has the format ${ImageFormat.JPEG}, not YUV_420_888", jpeg.message)
        assertThrows(ImageException::class.java) { photoOf(interleaved().take(2), WIDTH, HEIGHT, 0) }
    }
}
