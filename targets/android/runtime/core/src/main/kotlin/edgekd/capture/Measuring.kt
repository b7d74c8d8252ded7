package edgekd.capture

import edgekd.Measures
import edgekd.images.OpenCv
import edgekd.images.Square
import org.opencv.core.Core
import org.opencv.core.CvType
import org.opencv.core.Mat
import org.opencv.core.Scalar
import org.opencv.core.Size
import org.opencv.imgproc.Imgproc
import kotlin.math.hypot
import kotlin.math.sqrt

internal const val SIDE = 64
private const val DETAIL_SIDE = 128
private const val WHITE = 245
private const val BLUR = 1.5
private const val LEVELS = 256

/** Distance of each row or column of the thumbnail from its centre. */
private val AXIS = DoubleArray(SIDE) { it - (SIDE - 1) / 2.0 }

/** The disc of a dermatoscope; outside of it there may be a black rim. */
private val DISC =
    BooleanArray(SIDE * SIDE) {
        val across = AXIS[it % SIDE]
        val down = AXIS[it / SIDE]
        across * across + down * down < (SIDE / 2 - 0.5) * (SIDE / 2 - 0.5)
    }
private val DISC_PLACES = DISC.indices.filter { DISC[it] }.toIntArray()
private val DISC_AREA = DISC_PLACES.size

/** Two smaller versions of an image: RGB of 64 x 64 pixels, and luma of at most 128 x 128 for detail. */
internal class Views(
    val tiny: Mat,
    val grey: Mat,
)

internal fun viewsOf(square: Square): Views {
    OpenCv.require()
    val image = Mat(square.side, square.side, CvType.CV_8UC3)
    image.put(0, 0, square.rgb)
    val side = minOf(square.side, DETAIL_SIDE).toDouble()
    val detailed = Mat()
    Imgproc.resize(image, detailed, Size(side, side), 0.0, 0.0, Imgproc.INTER_LINEAR_EXACT)
    val tiny = Mat()
    Imgproc.resize(detailed, tiny, Size(SIDE.toDouble(), SIDE.toDouble()), 0.0, 0.0, Imgproc.INTER_AREA)
    val grey = Mat()
    Imgproc.cvtColor(detailed, grey, Imgproc.COLOR_RGB2GRAY)
    return Views(tiny, grey)
}

/** An RGB image as luma and two colour differences (Y'CrCb, ITU-R BT.601). */
internal fun opponent(image: Mat): Mat = Mat().also { Imgproc.cvtColor(image, it, Imgproc.COLOR_RGB2YCrCb) }

internal fun measuresOf(views: Views): Measures {
    val closed = Mat()
    val ellipse = Imgproc.getStructuringElement(Imgproc.MORPH_ELLIPSE, Size(5.0, 5.0))
    Imgproc.morphologyEx(views.tiny, closed, Imgproc.MORPH_CLOSE, ellipse)
    val colours = opponent(closed)
    val (contrast, offCentre) = lesion(closed, colours)
    return Measures(sharpness(views.grey), brightness(colours), glare(views.tiny), contrast, offCentre)
}

/** Mean of |mean over 3 x 3 − mean over 5 x 5|. */
private fun sharpness(grey: Mat): Double {
    val fine = Mat()
    val coarse = Mat()
    Imgproc.blur(grey, fine, Size(3.0, 3.0))
    Imgproc.blur(grey, coarse, Size(5.0, 5.0))
    Core.absdiff(fine, coarse, fine)
    return Core.mean(fine).`val`[0]
}

/** Median luma of the disc, 0 to 1. */
private fun brightness(colours: Mat): Double {
    val pixels = bytesOf(colours)
    val counts = IntArray(LEVELS)
    for (place in DISC_PLACES) counts[level(pixels[3 * place])]++
    val median = (ranked(counts, (DISC_AREA - 1) / 2) + ranked(counts, DISC_AREA / 2)) / 2
    return median / 255
}

/** The level of a rank, from 0, among levels that are counted. */
private fun ranked(
    counts: IntArray,
    rank: Int,
): Double {
    var left = rank
    var level = 0
    while (left >= counts[level]) left -= counts[level++]
    return level.toDouble()
}

private fun level(octet: Byte): Int = octet.toInt() and 0xFF

/** Share of the disc whose darkest channel is at least [WHITE]. */
private fun glare(tiny: Mat): Double {
    val pixels = bytesOf(tiny)
    val bright = DISC_PLACES.count { minOf(level(pixels[3 * it]), level(pixels[3 * it + 1]), level(pixels[3 * it + 2])) >= WHITE }
    return bright.toDouble() / DISC_AREA
}

/** Contrast and position of the region darker in green than Otsu's threshold, within the disc (Otsu 1979). */
private fun lesion(
    closed: Mat,
    colours: Mat,
): Pair<Double, Double> {
    val green = Mat()
    Core.extractChannel(closed, green, 1)
    Imgproc.GaussianBlur(green, green, Size(0.0, 0.0), BLUR)
    val levels = bytesOf(green)
    val level = otsu(levels)
    val inside = BooleanArray(DISC.size) { DISC[it] && level(levels[it]) <= level }
    val area = inside.count { it }
    if (area == 0 || area == DISC_AREA) return 0.0 to 0.0
    val lesion = Core.mean(colours, maskOf(inside)).`val`
    val skin = Core.mean(colours, maskOf(BooleanArray(DISC.size) { DISC[it] && !inside[it] })).`val`
    val contrast = sqrt((0..3).sumOf { (lesion[it] - skin[it]) * (lesion[it] - skin[it]) })
    var across = 0.0
    var down = 0.0
    for (place in DISC_PLACES) {
        if (inside[place]) {
            across += AXIS[place % SIDE]
            down += AXIS[place / SIDE]
        }
    }
    return contrast to hypot(across / area, down / area) / (SIDE / 2)
}

private fun otsu(levels: ByteArray): Double {
    val column = Mat(DISC_AREA, 1, CvType.CV_8UC1)
    column.put(
        0,
        0,
        ByteArray(DISC_AREA) { levels[DISC_PLACES[it]] },
    )
    return Imgproc.threshold(column, Mat(), 0.0, 255.0, Imgproc.THRESH_OTSU)
}

private fun maskOf(inside: BooleanArray): Mat {
    val mask = Mat(SIDE, SIDE, CvType.CV_8UC1, Scalar(0.0))
    mask.put(0, 0, ByteArray(inside.size) { if (inside[it]) 1 else 0 })
    return mask
}

private fun bytesOf(image: Mat): ByteArray = ByteArray(image.total().toInt() * image.channels()).also { image.get(0, 0, it) }
