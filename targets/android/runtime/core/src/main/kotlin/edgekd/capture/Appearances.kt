package edgekd.capture

import edgekd.bundle.Appearance
import org.opencv.core.Core
import org.opencv.core.CvType
import org.opencv.core.Mat
import org.opencv.core.MatOfDouble
import org.opencv.core.Rect
import org.opencv.core.Size
import org.opencv.imgproc.Imgproc
import kotlin.math.ln
import kotlin.math.sqrt

/** Number of features that describe an image. */
internal const val FEATURES = 16
private const val COARSE = 16.0

/**
 * The features of an image: means and spreads of Y'CrCb (6), correlations between its channels (3), contrast at three
 * scales and mean gradient of the luma (4), and the difference of the centre from the whole image (3).
 */
internal fun featuresOf(views: Views): DoubleArray {
    val colours = Mat()
    opponent(views.tiny).convertTo(colours, CvType.CV_32F)
    val mean = Core.mean(colours).`val`.take(3)
    val covariance = covarianceOf(colours, mean)
    val spread = List(3) { sqrt(covariance[it][it]) }
    val correlation =
        listOf(0 to 1, 0 to 2, 1 to 2).map { (a, b) -> covariance[a][b] / ((spread[a] + 1e-3) * (spread[b] + 1e-3)) }
    val quarter = SIDE / 4
    val core = Core.mean(Mat(colours, Rect(quarter, quarter, 2 * quarter, 2 * quarter))).`val`
    val luma = Mat().also { Core.extractChannel(colours, it, 0) }
    val relativeCore = List(3) { (core[it] - mean[it]) / (spread[it] + 2) }
    val features = mean + spread.map { ln(it + 1) } + correlation + texture(luma, views.grey) + relativeCore
    return features.toDoubleArray()
}

private fun covarianceOf(
    colours: Mat,
    mean: List<Double>,
): List<DoubleArray> {
    val pixels = FloatArray(SIDE * SIDE * 3).also { colours.get(0, 0, it) }
    val floats = FloatArray(3) { mean[it].toFloat() }
    for (place in pixels.indices step 3) {
        for (channel in 0..2) pixels[place + channel] -= floats[channel]
    }
    return List(3) { a -> DoubleArray(3) { b -> meanProduct(pixels, a, b) } }
}

private fun meanProduct(
    centred: FloatArray,
    one: Int,
    other: Int,
): Double {
    var sum = 0.0
    for (place in centred.indices step 3) sum += centred[place + one].toDouble() * centred[place + other]
    return sum / (SIDE * SIDE)
}

private fun texture(
    luma: Mat,
    grey: Mat,
): List<Double> {
    val coarse = Mat()
    Imgproc.resize(luma, coarse, Size(COARSE, COARSE), 0.0, 0.0, Imgproc.INTER_AREA)
    val across = Mat()
    Imgproc.Sobel(luma, across, CvType.CV_32F, 1, 0)
    val down = Mat()
    Imgproc.Sobel(luma, down, CvType.CV_32F, 0, 1)
    val spreads = listOf(luma, coarse, grey).map { ln(spreadOfLaplacian(it) + 0.5) }
    return spreads + ln(meanLength(across, down) + 1)
}

private fun spreadOfLaplacian(channel: Mat): Double {
    val laplacian = Mat()
    Imgproc.Laplacian(channel, laplacian, CvType.CV_32F)
    val spread = MatOfDouble()
    Core.meanStdDev(laplacian, MatOfDouble(), spread)
    return spread.get(0, 0)[0]
}

private fun meanLength(
    across: Mat,
    down: Mat,
): Double {
    val one = FloatArray(SIDE * SIDE).also { across.get(0, 0, it) }
    val other = FloatArray(SIDE * SIDE).also { down.get(0, 0, it) }
    return one.indices.sumOf { sqrt(one[it] * one[it] + other[it] * other[it]).toDouble() } / one.size
}

/** Squared Mahalanobis distance of features from the training images (Mahalanobis 1936). */
internal fun distanceOf(
    features: DoubleArray,
    known: Appearance,
): Double {
    val centred = DoubleArray(features.size) { features[it] - known.mean[it] }
    return known.whitening.sumOf { row ->
        val whitened = centred.indices.sumOf { row[it] * centred[it] }
        whitened * whitened
    }
}
