package edgekd.android

import android.graphics.Bitmap
import edgekd.ImageException
import edgekd.Photo

private const val CHANNELS = 3
private const val OPAQUE = 0xFF

/** Pixels that are copied at once; a bitmap of 12 megapixels would else take 48 MB more. */
private const val PIXELS_AT_ONCE = 1 shl 18

/**
 * The photo of a bitmap that is upright: Android's decoders, apart from `ImageDecoder`, do not turn a photo by its EXIF
 * orientation, and what a bitmap was decoded from is not known any more. Prefer the encoded bytes ([Photo.Encoded]): they are
 * decoded as in training, bit for bit, and checked for damage.
 *
 * The pixels are taken as sRGB, to which Android converts other colour spaces. Only the centre square is copied, which is all
 * that a network gets. The bitmap stays the caller's; a hardware bitmap is copied into memory first.
 *
 * @throws ImageException The bitmap is recycled, transparent in places, or has no colours.
 */
fun Bitmap.toPhoto(): Photo.Rgb {
    if (isRecycled) throw ImageException("the bitmap is recycled", "keep it until the photo is made of it")
    if (config == Bitmap.Config.ALPHA_8) throw ImageException("the bitmap has no colours", "give one of ARGB_8888")
    if (config != Bitmap.Config.HARDWARE) return squareOf(this)
    val copy = copy(Bitmap.Config.ARGB_8888, false) ?: throw ImageException("the hardware bitmap cannot be copied", "give one of ARGB_8888")
    return try {
        squareOf(copy)
    } finally {
        copy.recycle()
    }
}

private fun squareOf(bitmap: Bitmap): Photo.Rgb {
    val side = minOf(bitmap.width, bitmap.height)
    val left = (bitmap.width - side) / 2
    val top = (bitmap.height - side) / 2
    val rgb = ByteArray(CHANNELS * side * side)
    val rows = (PIXELS_AT_ONCE / side).coerceIn(1, side)
    val argb = IntArray(rows * side)
    for (row in 0 until side step rows) {
        val count = minOf(rows, side - row)
        bitmap.getPixels(argb, 0, side, left, top + row, side, count)
        copyPixels(argb, count * side, rgb, CHANNELS * row * side)
    }
    return Photo.Rgb(rgb, side, side)
}

private fun copyPixels(
    argb: IntArray,
    count: Int,
    rgb: ByteArray,
    offset: Int,
) {
    var place = offset
    for (index in 0 until count) {
        val pixel = argb[index]
        if (pixel ushr 24 != OPAQUE) {
            throw ImageException(
                "the bitmap is transparent in places, and what lies under them is not the photo",
                "give it without transparency",
            )
        }
        rgb[place++] = (pixel shr 16).toByte()
        rgb[place++] = (pixel shr 8).toByte()
        rgb[place++] = pixel.toByte()
    }
}
