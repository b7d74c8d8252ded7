package edgekd.images

import edgekd.MissingDependencyException
import org.opencv.core.CvException
import org.opencv.core.CvType
import org.opencv.core.Mat
import org.opencv.core.MatOfByte
import org.opencv.imgcodecs.Imgcodecs
import java.util.Random

/**
 * OpenCV's native library, loaded once.
 *
 * On a host the artefact `org.openpnp:opencv` brings it and a loader of its own; on Android the library lies in the app.
 */
internal object OpenCv {
    private const val HOST_LOADER = "nu.pattern.OpenCV"
    private const val ANDROID_LIBRARY = "opencv_java4"
    private const val NOISE_SIDE = 32
    private const val CUT = 200

    init {
        try {
            val loader = runCatching { Class.forName(HOST_LOADER) }.getOrNull()
            if (loader != null) loader.getMethod("loadLocally").invoke(null) else System.loadLibrary(ANDROID_LIBRARY)
        } catch (error: LinkageError) {
            throw missing(error)
        } catch (error: ReflectiveOperationException) {
            throw missing(error)
        }
    }

    /** Whether this OpenCV returns nothing for a truncated JPEG; some builds fill the rest with grey. */
    val detectsMissingData: Boolean by lazy {
        val noise = ByteArray(NOISE_SIDE * NOISE_SIDE * 3).also { Random(0).nextBytes(it) }
        val image = Mat(NOISE_SIDE, NOISE_SIDE, CvType.CV_8UC3)
        image.put(0, 0, noise)
        val encoded = MatOfByte()
        Imgcodecs.imencode(".jpg", image, encoded)
        val whole = encoded.toArray()
        decode(whole.copyOf(whole.size - CUT), Imgcodecs.IMREAD_COLOR) == null
    }

    /** Make sure that the library is loaded. */
    fun require() = Unit

    /** The decoded pixels, or null where OpenCV cannot decode them. */
    fun decode(
        bytes: ByteArray,
        flags: Int,
    ): Mat? =
        try {
            val encoded = Mat(1, bytes.size, CvType.CV_8UC1).apply { put(0, 0, bytes) }
            Imgcodecs.imdecode(encoded, flags).takeIf { !it.empty() }.also { encoded.release() }
        } catch (_: CvException) {
            null
        }

    private fun missing(error: Throwable) =
        MissingDependencyException(
            "OpenCV's native library is not there; it is needed to decode photos",
            "add org.opencv:opencv to an Android app, org.openpnp:opencv elsewhere",
            error,
        )
}
