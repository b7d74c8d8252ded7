package edgekd.images

import edgekd.ImageException
import edgekd.Photo
import org.opencv.core.Core
import org.opencv.core.CvType
import org.opencv.core.Mat
import org.opencv.core.Rect
import kotlin.math.round

private const val HINT = "give the planes of a camera's YUV_420_888 frame as they are"
private const val QUARTER = 90
private const val GREY = 128

/** The square of a camera's frame: planes are resized before they are converted, and turned last. */
internal fun squareOf(
    frame: Photo.Yuv,
    size: Int,
): Square {
    OpenCv.require()
    val width = frame.width
    val height = frame.height
    if (minOf(width, height) < 2 || width % 2 != 0 || height % 2 != 0) {
        throw ImageException("the planes are $width x $height, not of even sides", HINT)
    }
    if (frame.turn !in 0 until 4 * QUARTER || frame.turn % QUARTER != 0) {
        throw ImageException("the turn is ${frame.turn}, not 0, 90, 180 or 270 degrees", HINT)
    }
    val half = minOf(width, height) / 2
    val left = (width - 2 * half) / 4
    val top = (height - 2 * half) / 4
    val small =
        listOf(
            resized(pixels(frame.y, "Y", width, height), Rect(2 * left, 2 * top, 2 * half, 2 * half), size),
            resized(pixels(frame.u, "U", width / 2, height / 2), Rect(left, top, half, half), size),
            resized(pixels(frame.v, "V", width / 2, height / 2), Rect(left, top, half, half), size),
        )
    return Square(size, turned(converted(small[0], small[1], small[2]), size, frame.turn / QUARTER))
}

/** The pixels of a plane without what lies between them. */
private fun pixels(
    plane: Photo.Plane,
    name: String,
    width: Int,
    height: Int,
): Mat {
    val row = plane.rowStride
    val pixel = plane.pixelStride
    val used = (width - 1L) * pixel + 1
    if (pixel < 1 || row < used || plane.bytes.size < (height - 1L) * row + used) {
        throw ImageException(
            "the plane $name has ${plane.bytes.size} bytes with strides $row and $pixel, which is not $width x $height",
            HINT,
        )
    }
    val image = Mat(height, width, CvType.CV_8UC1)
    val line = ByteArray(width)
    for (y in 0 until height) {
        if (pixel == 1) {
            plane.bytes.copyInto(line, 0, y * row, y * row + width)
        } else {
            for (x in 0 until width) line[x] = plane.bytes[y * row + x * pixel]
        }
        image.put(y, 0, line)
    }
    return image
}

private fun resized(
    plane: Mat,
    place: Rect,
    size: Int,
): ByteArray {
    val crop = Mat(plane, place)
    val square = resizedByArea(crop, size)
    val bytes = ByteArray(size * size).also { square.get(0, 0, it) }
    listOf(crop, square, plane).forEach { it.release() }
    return bytes
}

/** JFIF's conversion, in double precision. */
private fun converted(
    luma: ByteArray,
    cb: ByteArray,
    cr: ByteArray,
): ByteArray {
    val rgb = ByteArray(3 * luma.size)
    for (index in luma.indices) {
        val y = (luma[index].toInt() and 0xFF).toDouble()
        val u = ((cb[index].toInt() and 0xFF) - GREY).toDouble()
        val v = ((cr[index].toInt() and 0xFF) - GREY).toDouble()
        rgb[3 * index] = level(y + 1.402 * v)
        rgb[3 * index + 1] = level(y - 0.344136 * u - 0.714136 * v)
        rgb[3 * index + 2] = level(y + 1.772 * u)
    }
    return rgb
}

private fun level(value: Double): Byte = round(value).toInt().coerceIn(0, 255).toByte()

private fun turned(
    rgb: ByteArray,
    size: Int,
    quarters: Int,
): ByteArray {
    if (quarters == 0) return rgb
    val image = Mat(size, size, CvType.CV_8UC3).apply { put(0, 0, rgb) }
    val upright = Mat()
    val codes = listOf(Core.ROTATE_90_CLOCKWISE, Core.ROTATE_180, Core.ROTATE_90_COUNTERCLOCKWISE)
    Core.rotate(image, upright, codes[quarters - 1])
    upright.get(0, 0, rgb)
    listOf(image, upright).forEach { it.release() }
    return rgb
}
