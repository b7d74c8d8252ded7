package edgekd.litert

import com.sun.jna.Memory
import com.sun.jna.NativeLong
import com.sun.jna.Pointer
import com.sun.jna.ptr.ByteByReference
import com.sun.jna.ptr.PointerByReference
import edgekd.DeviceUnreachableException
import edgekd.EdgekdException
import edgekd.engine.Engine
import edgekd.engine.EngineOptions
import edgekd.engine.EngineSession
import edgekd.engine.ModelFile
import edgekd.engine.Tensor
import java.nio.ByteBuffer

private const val ENGINE = "LiteRT"
private const val CPU = 1
private val ACCELERATORS = mapOf("gpu" to 2, "npu" to 4)
private const val CPU_OPTIONS = "xnnpack"
private const val TYPE_BYTES = 72L
private const val RANK_PLACE = 4L
private const val RANK_MASK = 0x7F
private const val DIMENSIONS_PLACE = 8L
private const val MOST_DIMENSIONS = 8
private const val UINT8 = 3
private const val FLOAT32 = 1
private const val READ = 0
private const val WRITE = 1
private val NONE = NativeLong(0)
private val SINGLE = NativeLong(1)

/** LiteRT files by LiteRT's compiled-model API: on the CPU (XNNPACK), or on a GPU or NPU that is asked for. */
class LiteRtEngine : Engine {
    override val backend: String = "tflite"

    override fun open(
        model: ModelFile,
        options: EngineOptions,
    ): EngineSession = LiteRtSession(model, options)
}

/** A call of LiteRT that did not succeed. */
internal class LiteRtException(
    message: String,
) : Exception(message)

private class LiteRtSession(
    private val model: ModelFile,
    options: EngineOptions,
) : EngineSession {
    private val api = LiteRtLibrary.instance
    private val releases = ArrayDeque<() -> Unit>()
    private val keptAlive = mutableListOf<Any>()
    private val compiled: Pointer
    private val input: Buffer
    private val output: Buffer
    override val inputShape: List<Int>
    override val outputShape: List<Int>
    override val facts: Map<String, String>
    override val warnings: List<String>

    init {
        try {
            val environment =
                created("an environment", api::LiteRtDestroyEnvironment) {
                    api.LiteRtCreateEnvironment(0, null, it)
                }
            val network = created("a model", api::LiteRtDestroyModel) { load(environment, it) }
            val signature = got("the signature") { api.LiteRtGetModelSignature(network, NONE, it) }
            val takes = tensor(signature, api::LiteRtGetNumSignatureInputs, api::LiteRtGetSignatureInputTensorByIndex)
            val gives = tensor(signature, api::LiteRtGetNumSignatureOutputs, api::LiteRtGetSignatureOutputTensorByIndex)
            model.requireContract(takes.described, gives.described)
            inputShape = takes.described.shape
            outputShape = gives.described.shape
            val obtained = compile(environment, network, options)
            compiled = obtained.compiled
            warnings = listOfNotNull(obtained.shortfall?.let { "$it; the file runs on the CPU" })
            input = buffer(environment, takes, api::LiteRtGetCompiledModelInputBufferRequirements)
            output = buffer(environment, gives, api::LiteRtGetCompiledModelOutputBufferRequirements)
            facts =
                mapOf(
                    "engine" to ENGINE,
                    "threads" to (options.threads ?: 1).toString(),
                    "accelerator" to if (obtained.shortfall == null) options.accelerator ?: "cpu" else "cpu",
                )
        } catch (error: LiteRtException) {
            close()
            throw model.damaged(ENGINE, error)
        } catch (error: EdgekdException) {
            close()
            throw error
        }
    }

    override fun run(image: ByteArray): FloatArray {
        try {
            input.locked(WRITE) { it.write(0, image, 0, image.size) }
            val inputs = arrayOf(input.handle)
            val outputs = arrayOf(output.handle)
            check("run") { api.LiteRtRunCompiledModel(compiled, NONE, SINGLE, inputs, SINGLE, outputs) }
            return output.locked(READ) { it.getFloatArray(0, outputShape.fold(1, Int::times)) }
        } catch (error: LiteRtException) {
            throw model.failed(error)
        }
    }

    override fun close() {
        while (releases.isNotEmpty()) releases.removeLast().invoke()
        keptAlive.clear()
    }

    private fun load(
        environment: Pointer,
        result: PointerByReference,
    ): Int {
        // The bytes that were hashed and are checked here; what a path leads to may change.
        val bytes = model.bytes()
        if (!FileCheck.isSound(ByteBuffer.wrap(bytes))) throw LiteRtException("it is no valid FlatBuffer of a model")
        val memory = Memory(bytes.size.toLong()).apply { write(0, bytes, 0, bytes.size) }
        keptAlive.add(memory) // LiteRT reads the weights where they are
        return api.LiteRtCreateModelFromBuffer(environment, memory, NativeLong(memory.size()), result)
    }

    private class Obtained(
        val compiled: Pointer,
        val shortfall: String?,
    )

    /** Compiled for the accelerator that is asked for, or else for the CPU. */
    private fun compile(
        environment: Pointer,
        network: Pointer,
        options: EngineOptions,
    ): Obtained {
        val name = options.accelerator?.lowercase() ?: "cpu"
        val accelerator = ACCELERATORS[name]
        var shortfall: String? =
            if (accelerator == null && name != "cpu") "$name was requested, but LiteRT offers only cpu, gpu, npu" else null
        if (accelerator != null) {
            try {
                val compiled = compiledFor(environment, network, options, accelerator)
                if (isFullyAccelerated(compiled)) return Obtained(compiled, null)
                shortfall = "$name was requested, but did not take the whole graph"
            } catch (error: LiteRtException) {
                shortfall = "$name was requested, but cannot take the file: ${error.message}"
            }
        }
        if (options.require && shortfall != null) {
            throw DeviceUnreachableException(shortfall, "leave the accelerator out, or build the app with its library")
        }
        return Obtained(compiledFor(environment, network, options, CPU), shortfall)
    }

    private fun compiledFor(
        environment: Pointer,
        network: Pointer,
        options: EngineOptions,
        accelerator: Int,
    ): Pointer {
        val settings = created("options", api::LiteRtDestroyOptions) { api.LiteRtCreateOptions(it) }
        check("the accelerator") { api.LiteRtSetOptionsHardwareAccelerators(settings, accelerator) }
        val text = "num_threads = ${options.threads ?: 1}\n".toByteArray() + 0
        val payload = Memory(text.size.toLong()).apply { write(0, text, 0, text.size) }
        keptAlive.addAll(listOf(payload, NOTHING))
        val cpu = got("the number of threads") { api.LiteRtCreateOpaqueOptions(CPU_OPTIONS, payload, NOTHING, it) }
        check("the number of threads") { api.LiteRtAddOpaqueOptions(settings, cpu) }
        return created("the compiled model", api::LiteRtDestroyCompiledModel) {
            api.LiteRtCreateCompiledModel(environment, network, settings, it)
        }
    }

    private fun isFullyAccelerated(compiled: Pointer): Boolean {
        val fully = ByteByReference()
        check("the accelerator's share") { api.LiteRtCompiledModelIsFullyAccelerated(compiled, fully) }
        return fully.value.toInt() != 0
    }

    private class Port(
        val type: Memory,
        val described: Tensor,
    )

    private fun tensor(
        signature: Pointer,
        count: (Pointer, PointerByReference) -> Int,
        at: (Pointer, NativeLong, PointerByReference) -> Int,
    ): Port {
        val number = PointerByReference()
        check("the tensors") { count(signature, number) }
        val tensors = Pointer.nativeValue(number.value)
        if (tensors != 1L) return Port(Memory(TYPE_BYTES), Tensor("$tensors tensors", emptyList()))
        val tensor = got("a tensor") { at(signature, NONE, it) }
        val type = Memory(TYPE_BYTES).apply { clear() }
        check("the type of a tensor") { api.LiteRtGetRankedTensorType(tensor, type) }
        val rank = minOf(type.getInt(RANK_PLACE) and RANK_MASK, MOST_DIMENSIONS)
        return Port(type, Tensor(typeName(type.getInt(0)), type.getIntArray(DIMENSIONS_PLACE, rank).toList()))
    }

    private fun typeName(element: Int): String =
        when (element) {
            UINT8 -> "uint8"
            FLOAT32 -> "float32"
            else -> "type $element"
        }

    private fun buffer(
        environment: Pointer,
        port: Port,
        requirements: (Pointer, NativeLong, NativeLong, PointerByReference) -> Int,
    ): Buffer {
        val needs = got("the needs of a buffer") { requirements(compiled, NONE, NONE, it) }
        val handle =
            created("a buffer", api::LiteRtDestroyTensorBuffer) {
                api.LiteRtCreateManagedTensorBufferFromRequirements(environment, port.type, needs, it)
            }
        return Buffer(handle)
    }

    private inner class Buffer(
        val handle: Pointer,
    ) {
        fun <T> locked(
            mode: Int,
            use: (Pointer) -> T,
        ): T {
            val memory = got("the memory of a buffer") { api.LiteRtLockTensorBuffer(handle, it, mode) }
            try {
                return use(memory)
            } finally {
                api.LiteRtUnlockTensorBuffer(handle)
            }
        }
    }

    private fun got(
        name: String,
        call: (PointerByReference) -> Int,
    ): Pointer {
        val result = PointerByReference()
        check(name) { call(result) }
        return result.value ?: throw LiteRtException("LiteRT gives nothing for $name")
    }

    private fun created(
        name: String,
        release: (Pointer) -> Unit,
        call: (PointerByReference) -> Int,
    ): Pointer = got(name, call).also { made -> releases.addLast { release(made) } }

    private fun check(
        name: String,
        call: () -> Int,
    ) {
        val status = call()
        if (status != 0) throw LiteRtException("LiteRT's status is $status for $name")
    }

    private companion object {
        val NOTHING =
            object : LiteRtLibrary.Destructor {
                override fun invoke(payload: Pointer?) = Unit
            }
    }
}
