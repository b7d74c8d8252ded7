package edgekd.benchmark

import com.sun.jna.Memory
import com.sun.jna.NativeLong
import com.sun.jna.Pointer
import nu.pattern.OpenCV
import org.opencv.core.CvType
import org.opencv.core.Mat
import org.opencv.core.Rect
import org.opencv.core.Size
import org.opencv.imgcodecs.Imgcodecs
import org.opencv.imgproc.Imgproc
import kotlin.math.exp

private const val CPU = 1
private const val READ = 0
private const val WRITE = 1
private const val TYPE_BYTES = 72L
private const val DIMENSIONS_PLACE = 8L
private const val SIDE_PLACE = DIMENSIONS_PLACE + Int.SIZE_BYTES
private const val CLASSES_PLACE = DIMENSIONS_PLACE + Int.SIZE_BYTES
private val REDUCED =
    listOf(
        8 to Imgcodecs.IMREAD_REDUCED_COLOR_8,
        4 to Imgcodecs.IMREAD_REDUCED_COLOR_4,
        2 to Imgcodecs.IMREAD_REDUCED_COLOR_2,
    )

/** The most probable class, and how probable it is. */
internal class Guess(
    val index: Int,
    val probability: Double,
)

/**
 * What a developer writes by hand around OpenCV and LiteRT: decode, crop, resize, invoke, softmax; nothing is checked.
 *
 * The file takes bytes: it quantises or normalises them itself. One thread, LiteRT's default.
 *
 * @param model A LiteRT file with one input, uint8 `[1, S, S, 3]`, and one output, float32 `[1, K]`.
 * @param shorter The shorter side of the camera's photos, which OpenCV then decodes at a fraction of their size where twice
 *   the network's side is left; null decodes all pixels.
 */
internal class PlainLoop(
    model: ByteArray,
    shorter: Int?,
) : AutoCloseable {
    private val litert = LiteRtCalls()
    private val weights = Memory(model.size.toLong()).apply { write(0, model, 0, model.size) }
    private val compiled: Pointer
    private val input: Pointer
    private val output: Pointer
    private val side: Int
    private val classes: Int
    private val flags: Int

    init {
        OpenCV.loadLocally()
        with(litert) {
            val environment = got("LiteRtCreateEnvironment", 0, null).releasedAs("Environment")
            val size = NativeLong(weights.size())
            val file = got("LiteRtCreateModelFromBuffer", environment, weights, size).releasedAs("Model")
            val settings = got("LiteRtCreateOptions").releasedAs("Options")
            call("LiteRtSetOptionsHardwareAccelerators", settings, CPU)
            compiled = got("LiteRtCreateCompiledModel", environment, file, settings).releasedAs("CompiledModel")
            val signature = got("LiteRtGetModelSignature", file, FIRST)
            val takes = type(got("LiteRtGetSignatureInputTensorByIndex", signature, FIRST))
            val gives = type(got("LiteRtGetSignatureOutputTensorByIndex", signature, FIRST))
            input = buffer(environment, takes, "LiteRtGetCompiledModelInputBufferRequirements")
            output = buffer(environment, gives, "LiteRtGetCompiledModelOutputBufferRequirements")
            side = takes.getInt(SIDE_PLACE)
            classes = gives.getInt(CLASSES_PLACE)
        }
        flags = REDUCED.firstOrNull { (factor, _) -> shorter != null && shorter / factor >= 2 * side }?.second
            ?: Imgcodecs.IMREAD_COLOR
    }

    fun decide(jpeg: ByteArray): Guess {
        val logits = logits(jpeg)
        val largest = logits.max()
        val powers = logits.map { exp((it - largest).toDouble()) }
        val index = logits.indices.maxBy { logits[it] }
        return Guess(index, powers[index] / powers.sum())
    }

    fun logits(jpeg: ByteArray): FloatArray {
        val pixels = square(jpeg)
        litert.locked(input, WRITE) { it.write(0, pixels, 0, pixels.size) }
        litert.call("LiteRtRunCompiledModel", compiled, FIRST, SINGLE, arrayOf(input), SINGLE, arrayOf(output))
        return litert.locked(output, READ) { it.getFloatArray(0, classes) }
    }

    private fun square(jpeg: ByteArray): ByteArray {
        val encoded = Mat(1, jpeg.size, CvType.CV_8UC1)
        encoded.put(0, 0, jpeg)
        val image = Imgcodecs.imdecode(encoded, flags)
        val shorter = minOf(image.rows(), image.cols())
        val crop = Mat(image, Rect((image.cols() - shorter) / 2, (image.rows() - shorter) / 2, shorter, shorter))
        val square = Mat()
        Imgproc.resize(crop, square, Size(side.toDouble(), side.toDouble()), 0.0, 0.0, Imgproc.INTER_AREA)
        Imgproc.cvtColor(square, square, Imgproc.COLOR_BGR2RGB)
        val pixels = ByteArray(side * side * 3)
        square.get(0, 0, pixels)
        listOf(encoded, crop, image, square).forEach(Mat::release)
        return pixels
    }

    private fun LiteRtCalls.type(tensor: Pointer): Memory =
        Memory(TYPE_BYTES).also {
            it.clear()
            call("LiteRtGetRankedTensorType", tensor, it)
        }

    private fun LiteRtCalls.buffer(
        environment: Pointer,
        type: Memory,
        requirements: String,
    ): Pointer {
        val needs = got(requirements, compiled, FIRST, FIRST)
        return got("LiteRtCreateManagedTensorBufferFromRequirements", environment, type, needs).releasedAs("TensorBuffer")
    }

    override fun close() = litert.close()
}
