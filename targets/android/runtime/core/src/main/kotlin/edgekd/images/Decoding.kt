package edgekd.images

import edgekd.ImageException
import edgekd.beside
import org.opencv.core.Core
import org.opencv.core.CvType
import org.opencv.core.Mat
import org.opencv.core.Rect
import org.opencv.core.Size
import org.opencv.imgcodecs.Imgcodecs
import org.opencv.imgproc.Imgproc

private val REDUCED =
    listOf(
        8 to Imgcodecs.IMREAD_REDUCED_COLOR_8,
        4 to Imgcodecs.IMREAD_REDUCED_COLOR_4,
        2 to Imgcodecs.IMREAD_REDUCED_COLOR_2,
    )
private const val SHORT = 2_000
private const val SHORT_GREY = 100_000
private const val WORTH_A_THREAD = 20_000
private val FILLING = ByteArray(16) { if (it % 2 == 0) 0xFF.toByte() else 0 }
private const val OPAQUE_8 = 255.0
private const val OPAQUE_16 = 65_535.0
private val TIFF = setOf("II*\u0000", "MM\u0000*", "II+\u0000", "MM\u0000+")
private const val NAME = "the image"

/** The square that the network gets: RGB, row by row, [side] · [side] · 3 bytes. */
internal class Square(
    val side: Int,
    val rgb: ByteArray,
)

/**
 * The one preprocessing rule, `centre-square-area-v2`: decode, turn upright, crop the centre square, resize by area.
 * docs/runtime-contract.md defines it.
 */
internal fun squareOf(
    encoded: ByteArray,
    size: Int,
): Square {
    OpenCv.require()
    try {
        val data = Data(encoded)
        val bgr = decode(data, size)
        val conversion = profileIn(data, headerOf(data).format)?.let(::conversionOf)
        val square = rgbSquare(bgr, size, Imgproc.COLOR_BGR2RGB)
        conversion?.convert(square.rgb)
        return square
    } catch (verdict: Unreadable) {
        throw verdict.errorFor(NAME)
    }
}

/** The square of pixels RGB that an app has already, row by row. */
internal fun squareOf(
    rgb: ByteArray,
    width: Int,
    height: Int,
    size: Int,
): Square {
    OpenCv.require()
    if (width < 1 || height < 1 || rgb.size.toLong() != 3L * width * height) {
        throw ImageException("the pixels are ${rgb.size} bytes, not $width x $height x 3", "give RGB pixels, row by row")
    }
    if (width.toLong() * height > MAX_PIXELS) {
        throw ImageException("the pixels are $width x $height, more than $MAX_PIXELS", "scale them down first")
    }
    val image = Mat(height, width, CvType.CV_8UC3)
    image.put(0, 0, rgb)
    return rgbSquare(image, size, conversion = null)
}

private fun rgbSquare(
    image: Mat,
    size: Int,
    conversion: Int?,
): Square {
    val side = minOf(image.rows(), image.cols())
    val crop = Mat(image, Rect((image.cols() - side) / 2, (image.rows() - side) / 2, side, side))
    val square = resizedByArea(crop, size)
    if (conversion != null) Imgproc.cvtColor(square, square, conversion)
    val rgb = ByteArray(size * size * 3).also { square.get(0, 0, it) }
    listOf(crop, square, image).forEach { it.release() }
    return Square(size, rgb)
}

/** The square at another size, by area; a copy where it has that size. */
internal fun resizedByArea(
    square: Mat,
    size: Int,
): Mat {
    val resized = Mat()
    if (square.rows() == size) {
        square.copyTo(resized)
    } else {
        Imgproc.resize(square, resized, Size(size.toDouble(), size.toDouble()), 0.0, 0.0, Imgproc.INTER_AREA)
    }
    return resized
}

internal fun headerOf(data: Data): ImageHeader =
    when {
        data.startsWith(JPEG_SIGNATURE) -> readJpeg(data)
        data.startsWith(PNG_SIGNATURE) -> readPng(data)
        isWebp(data) -> readWebp(data)
        data.text(0, 4) in TIFF -> throw notHere("a TIFF")
        data.startsWith("BM") -> readBmp(data)
        else -> throw refusal(data)
    }

private fun notHere(kind: String) = Unreadable("is $kind, which the runtime for Android does not read", "save it as JPEG or PNG")

/** The pixels BGR, upright, with at least 2 · size of them on the shorter side where the image has them. */
private fun decode(
    data: Data,
    size: Int,
): Mat {
    if (data.size > MAX_BYTES) throw Unreadable("has more than $MAX_BYTES bytes", "save it as JPEG")
    if (data.startsWith("DICM", 128)) throw notHere("a DICOM file")
    val header = headerOf(data)
    if (!header.complete) throw truncatedImage(header.format)
    val (factor, scale) = scaleOf(header, size)
    refuseCost(header, factor)
    if (header.alpha && !isOpaque(data)) {
        throw Unreadable(
            "is transparent in places, and what lies under them is not the photo",
            "save it without transparency",
        )
    }
    if (header.format == "png") checkPng(data)
    // Other orientations of a WebP are refused by `readWebp`.
    val flags = if (header.format == "webp") scale or Imgcodecs.IMREAD_IGNORE_ORIENTATION else scale
    val bgr = if (header.format == "jpeg") wholeJpeg(data, flags) else OpenCv.decode(data.bytes, flags)
    if (bgr == null || bgr.type() != CvType.CV_8UC3) throw damagedImage(header.format)
    return bgr
}

/** The pixels of a JPEG, if its compressed data are those of its picture. */
private fun wholeJpeg(
    data: Data,
    flags: Int,
): Mat? {
    val first = scansOf(data).first()
    val short = if (first.members.size > 1) SHORT else SHORT_GREY
    val long = first.alone && !first.restarts && first.end - first.start > short
    if (!long || !OpenCv.detectsMissingData) {
        return checked(data, { checkScans(data) }) { OpenCv.decode(data.bytes, flags) }.first
    }
    var end = first.end
    while (end > first.start && data.byte(end - 1) == 0xFF) end--
    val whole = data.slice(0, end) + FILLING
    val fewer = data.slice(0, maxOf(end - SPARE - 1, first.start))
    // A picture with a few bytes less would mean that there were surplus data.
    val (pixels, surplus) =
        checked(data, { OpenCv.decode(fewer, Imgcodecs.IMREAD_REDUCED_GRAYSCALE_8) != null }) { OpenCv.decode(whole, flags) }
    if (pixels == null || surplus) throw corruptImage("jpeg")
    return pixels
}

/** What [work] and the [check] of a photo give; another thread checks long ones meanwhile. */
private fun <A, B> checked(
    data: Data,
    check: () -> B,
    work: () -> A,
): Pair<A, B> {
    if (data.size >= WORTH_A_THREAD) return beside(check, work)
    val result = check()
    return work() to result
}

/** The strongest DCT scaling that still leaves 2 · size pixels on the shorter side. */
private fun scaleOf(
    header: ImageHeader,
    size: Int,
): Pair<Int, Int> {
    val whole = 1 to Imgcodecs.IMREAD_COLOR
    if (header.format != "jpeg") return whole
    return REDUCED.firstOrNull { (factor, _) -> minOf(header.width, header.height) / factor >= 2L * size } ?: whole
}

private fun refuseCost(
    header: ImageHeader,
    factor: Int,
) {
    val size = "${header.width}x${header.height} pixels"
    if (header.pixels == 0L) throw damagedImage(header.format)
    if (header.pixels > MAX_PIXELS) throw Unreadable("has $size, more than $MAX_PIXELS", "scale it down first")
    if (header.scans > MAX_SCANS || header.scans * header.pixels > MAX_SCANNED_PIXELS) {
        throw Unreadable(
            "is a JPEG of ${header.scans} scans, which would take too long to decode",
            "save it as an ordinary (baseline) JPEG",
        )
    }
    if (header.memory(factor) > MAX_MEMORY) {
        throw Unreadable(
            "has $size, too many for a ${header.format} of its kind",
            "scale it down first, or save it as an ordinary (baseline) JPEG",
        )
    }
}

private fun isOpaque(data: Data): Boolean {
    val pixels = OpenCv.decode(data.bytes, Imgcodecs.IMREAD_UNCHANGED) ?: return true
    if (pixels.channels() != 4) return true
    val alpha = Mat()
    Core.extractChannel(pixels, alpha, 3)
    val full = if (pixels.depth() == CvType.CV_8U) OPAQUE_8 else OPAQUE_16
    return Core.minMaxLoc(alpha).minVal == full
}
