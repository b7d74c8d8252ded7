package edgekd.engine

import edgekd.ArtefactException
import edgekd.InputException
import java.io.Closeable
import java.io.File
import java.util.ServiceLoader

/**
 * An inference engine. A library announces its engine to [ServiceLoader]; [edgekd.Edgekd] finds it by its backend.
 */
interface Engine {
    /** Name of the backend whose files it opens, as manifests have it. */
    val backend: String

    /**
     * Open a model file.
     *
     * @throws ArtefactException The file cannot be parsed, or does not map uint8 [1, S, S, 3] to float32 [1, …].
     */
    fun open(
        model: ModelFile,
        options: EngineOptions,
    ): EngineSession
}

/**
 * The model file of a bundle.
 *
 * @property name Its name in the bundle.
 * @property file Where it is on disk, so that the engine may map it; null where it is in memory alone.
 */
class ModelFile(
    val name: String,
    val file: File?,
    private val content: () -> ByteArray,
) {
    /** Its bytes, as they were hashed. */
    fun bytes(): ByteArray = content()

    /** The error for a file that an engine cannot parse. */
    fun damaged(
        engine: String,
        error: Throwable,
    ): ArtefactException = ArtefactException("$engine cannot read $name${why(error)}", COPY_AGAIN, error)

    /** The error for a file that an engine fails to run. */
    fun failed(error: Throwable): ArtefactException =
        ArtefactException("the engine failed on $name${why(error)}", "check the bundle with `edgekd verify`", error)

    /** Refuse a file whose tensors are not those of a deploy graph. */
    fun requireContract(
        input: Tensor,
        output: Tensor,
    ) {
        val shape = input.shape
        val image = shape.size == 4 && shape[0] == 1 && shape[1] == shape[2] && shape[1] > 0 && shape[3] == 3
        val answer = output.shape.size > 1 && output.shape[0] == 1 && output.shape.all { it > 0 }
        if (image && answer && input.type == "uint8" && output.type == "float32") return
        throw ArtefactException(
            "$name maps $input to $output, not uint8 [1, S, S, 3] to float32 [1, …]",
            "build the file with `edgekd build`",
        )
    }

    private fun why(error: Throwable): String =
        error.message
            .orEmpty()
            .lines()
            .map { it.trim() }
            .lastOrNull { it.isNotEmpty() }
            ?.let { ": $it" }
            .orEmpty()

    private companion object {
        const val COPY_AGAIN = "copy or build the bundle again"
    }
}

/** Shape and type of a tensor; a side that is not fixed counts as −1. */
data class Tensor(
    val type: String,
    val shape: List<Int>,
) {
    /** As messages have it. */
    override fun toString(): String = "$type $shape"
}

/**
 * How to open an engine.
 *
 * @property threads Threads of the CPU; null leaves it to the engine.
 * @property accelerator `cpu`, `gpu`, `npu` or the engine's own name of a device; null is the CPU.
 * @property require Fail where the accelerator is not obtained for the whole network; otherwise a warning reports it.
 */
data class EngineOptions(
    val threads: Int? = null,
    val accelerator: String? = null,
    val require: Boolean = false,
) {
    init {
        val most = maxOf(THREADS_ANYWHERE, THREADS_A_CPU * Runtime.getRuntime().availableProcessors())
        if (threads != null && threads !in 1..most) {
            throw InputException("threads is $threads", "give from 1 to $most on this machine")
        }
        if (accelerator != null && accelerator.isBlank()) {
            throw InputException(
                "the accelerator has no name: it is '$accelerator'",
                "give cpu, gpu, npu or the engine's word",
            )
        }
    }

    private companion object {
        const val THREADS_A_CPU = 4
        const val THREADS_ANYWHERE = 16
    }
}

/** An opened model file. One thread at a time may run it; [edgekd.Classifier] ensures that. */
interface EngineSession : Closeable {
    /** Shape of the input, [1, S, S, 3]. */
    val inputShape: List<Int>

    /** Shape of the output, the batch of one first. */
    val outputShape: List<Int>

    /** The engine with its version, and what was obtained from it. */
    val facts: Map<String, String>

    /** One sentence for each option that was not obtained. */
    val warnings: List<String>

    /** The output for one image, uint8 [S, S, 3] RGB. */
    fun run(image: ByteArray): FloatArray
}

/** The engines that the app's dependencies bring. */
internal fun installedEngines(): List<Engine> = ServiceLoader.load(Engine::class.java, Engine::class.java.classLoader).toList()
