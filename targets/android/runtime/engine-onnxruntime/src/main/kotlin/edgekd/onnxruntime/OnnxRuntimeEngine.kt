package edgekd.onnxruntime

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtLoggingLevel
import ai.onnxruntime.OrtProvider
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import edgekd.DeviceUnreachableException
import edgekd.engine.Engine
import edgekd.engine.EngineOptions
import edgekd.engine.EngineSession
import edgekd.engine.ModelFile
import edgekd.engine.Tensor
import java.nio.ByteBuffer

private const val ENGINE = "ONNX Runtime"

/** Key of a file's metadata: its int8 weights take all eight bits, which integer kernels without VNNI would saturate. */
private const val FULL_RANGE = "edgekd.full_range"

/** ONNX files on ONNX Runtime, on its CPU provider or on NNAPI or XNNPACK where the app's build has them. */
class OnnxRuntimeEngine : Engine {
    override val backend: String = "onnx"

    override fun open(
        model: ModelFile,
        options: EngineOptions,
    ): EngineSession {
        val environment = OrtEnvironment.getEnvironment().apply { setTelemetry(false) }
        val provider = providerFor(options.accelerator)
        val session = opened(environment, model, options, provider)
        return OnnxRuntimeSession(environment, session, model, options, shortfall(options.accelerator, provider))
    }

    private fun opened(
        environment: OrtEnvironment,
        model: ModelFile,
        options: EngineOptions,
        provider: OrtProvider?,
    ): OrtSession {
        try {
            val session = create(environment, model, options, provider, integers = true)
            if (FULL_RANGE !in session.metadata.customMetadata) return session
            session.close()
            return create(environment, model, options, provider, integers = false)
        } catch (error: OrtException) {
            throw model.damaged(ENGINE, error)
        }
    }

    private fun create(
        environment: OrtEnvironment,
        model: ModelFile,
        options: EngineOptions,
        provider: OrtProvider?,
        integers: Boolean,
    ): OrtSession =
        OrtSession.SessionOptions().use { settings ->
            settings.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR)
            settings.setInterOpNumThreads(1)
            settings.setIntraOpNumThreads(options.threads ?: 0) // 0: one per core
            if (!integers) settings.addConfigEntry("session.disable_quant_qdq", "1")
            if (provider == OrtProvider.NNAPI) settings.addNnapi()
            val file = model.file
            if (file != null) {
                environment.createSession(file.path, settings)
            } else {
                environment.createSession(model.bytes(), settings)
            }
        }

    private fun providerFor(accelerator: String?): OrtProvider? {
        val available = OrtEnvironment.getAvailableProviders()
        val asked = if (accelerator?.lowercase() in setOf("gpu", "npu", "nnapi")) OrtProvider.NNAPI else OrtProvider.CPU
        return asked.takeIf { it in available }
    }

    private fun shortfall(
        accelerator: String?,
        provider: OrtProvider?,
    ): String? {
        val known = accelerator == null || accelerator.lowercase() in setOf("cpu", "gpu", "npu", "nnapi")
        if (provider != null && known) return null
        val offered = OrtEnvironment.getAvailableProviders().joinToString(", ") { it.name }
        return "$accelerator was requested, but ONNX Runtime offers only $offered"
    }
}

private class OnnxRuntimeSession(
    private val environment: OrtEnvironment,
    private val session: OrtSession,
    private val model: ModelFile,
    options: EngineOptions,
    shortfall: String?,
) : EngineSession {
    private val inputName: String
    override val inputShape: List<Int>
    override val outputShape: List<Int>
    override val facts: Map<String, String> =
        mapOf(
            "engine" to "onnxruntime ${environment.version}",
            "threads" to (options.threads?.toString() ?: "one a core"),
            "accelerator" to (options.accelerator?.takeIf { shortfall == null } ?: "cpu"),
        )
    override val warnings: List<String> = listOfNotNull(shortfall?.let { "$it; the file runs on the CPU" })

    init {
        try {
            val input = described(session.inputInfo.values.map { it.info })
            val output = described(session.outputInfo.values.map { it.info })
            model.requireContract(input, output)
            inputName = session.inputNames.first()
            inputShape = input.shape
            outputShape = output.shape
            if (options.require && shortfall != null) {
                throw DeviceUnreachableException(
                    shortfall,
                    "install ONNX Runtime's build for the accelerator, or leave it out",
                )
            }
        } catch (error: OrtException) {
            session.close()
            throw model.damaged(ENGINE, error)
        } catch (error: edgekd.EdgekdException) {
            session.close()
            throw error
        }
    }

    override fun run(image: ByteArray): FloatArray {
        val shape = LongArray(inputShape.size) { inputShape[it].toLong() }
        val buffer = ByteBuffer.allocateDirect(image.size).put(image).rewind() as ByteBuffer
        try {
            OnnxTensor.createTensor(environment, buffer, shape, OnnxJavaType.UINT8).use { tensor ->
                session.run(mapOf(inputName to tensor)).use { outputs ->
                    val floats = (outputs[0] as OnnxTensor).floatBuffer
                    return FloatArray(floats.remaining()).also { floats.get(it) }
                }
            }
        } catch (error: OrtException) {
            throw model.failed(error)
        }
    }

    override fun close() = session.close()

    private fun described(ports: List<Any>): Tensor {
        val info = ports.singleOrNull() as? TensorInfo ?: return Tensor("${ports.size} tensors", emptyList())
        val type =
            when (info.type) {
                OnnxJavaType.UINT8 -> "uint8"
                OnnxJavaType.FLOAT -> "float32"
                else -> info.type.name.lowercase()
            }
        return Tensor(type, info.shape.map { it.toInt() })
    }
}
