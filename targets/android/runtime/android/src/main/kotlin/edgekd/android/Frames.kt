package edgekd.android

import android.graphics.ImageFormat
import android.media.Image
import edgekd.ImageException
import edgekd.Photo
import java.nio.ByteBuffer

private const val PLANES = 3

/**
 * The photo of a camera's frame (`YUV_420_888`, of an `ImageReader`). Its bytes are copied: close the frame afterwards.
 *
 * @param turn Degrees clockwise by which it has to be turned to be upright: 0, 90, 180 or 270.
 * @throws ImageException It is of another format.
 */
fun Image.toPhoto(turn: Int = 0): Photo.Yuv {
    requireYuv(format)
    return photoOf(planes.map { FramePlane(it.buffer, it.rowStride, it.pixelStride) }, width, height, turn)
}

/** Refuse a frame whose planes are not Y, U and V. */
fun requireYuv(format: Int) {
    if (format != ImageFormat.YUV_420_888) {
        throw ImageException("the frame has the format $format, not YUV_420_888", "ask the camera for YUV_420_888")
    }
}

/** A plane of a frame, as the platform's `Image` and CameraX's `ImageProxy` have it. */
class FramePlane(
    internal val buffer: ByteBuffer,
    internal val rowStride: Int,
    internal val pixelStride: Int,
)

/** The photo of a frame's planes Y, U and V; their buffers are read from the start, and stay as they are. */
fun photoOf(
    planes: List<FramePlane>,
    width: Int,
    height: Int,
    turn: Int,
): Photo.Yuv {
    if (planes.size != PLANES) throw ImageException("the frame has ${planes.size} planes, not 3", "ask the camera for YUV_420_888")
    val (y, u, v) = planes.map { Photo.Plane(it.buffer.copied(), it.rowStride, it.pixelStride) }
    return Photo.Yuv(y, u, v, width, height, turn)
}

private fun ByteBuffer.copied(): ByteArray {
    val all = duplicate()
    all.rewind()
    return ByteArray(all.remaining()).also(all::get)
}
