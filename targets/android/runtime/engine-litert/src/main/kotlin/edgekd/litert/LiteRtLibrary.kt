package edgekd.litert

import com.sun.jna.Callback
import com.sun.jna.Library
import com.sun.jna.Native
import com.sun.jna.NativeLong
import com.sun.jna.Pointer
import com.sun.jna.ptr.ByteByReference
import com.sun.jna.ptr.PointerByReference
import edgekd.MissingDependencyException

/** Property with the path of `libLiteRt.so`; on Android the library lies in the app and is found by its name. */
internal const val LIBRARY_PROPERTY = "edgekd.litert.library"
private const val LIBRARY = "LiteRt"

/**
 * The functions of LiteRT's C API that are used here. A status of 0 is success.
 *
 * Source: google-ai-edge/LiteRT, `litert/c/litert_environment.h`, `litert_model.h`, `litert_options.h`,
 * `litert_opaque_options.h`, `litert_compiled_model.h`, `litert_tensor_buffer.h` (version 2).
 */
@Suppress("ktlint:standard:function-naming", "FunctionNaming", "LongParameterList")
internal interface LiteRtLibrary : Library {
    fun LiteRtCreateEnvironment(
        options: Int,
        values: Pointer?,
        environment: PointerByReference,
    ): Int

    fun LiteRtDestroyEnvironment(environment: Pointer)

    fun LiteRtCreateModelFromBuffer(
        environment: Pointer,
        content: Pointer,
        size: NativeLong,
        model: PointerByReference,
    ): Int

    fun LiteRtDestroyModel(model: Pointer)

    fun LiteRtGetModelSignature(
        model: Pointer,
        index: NativeLong,
        signature: PointerByReference,
    ): Int

    fun LiteRtGetNumSignatureInputs(
        signature: Pointer,
        count: PointerByReference,
    ): Int

    fun LiteRtGetNumSignatureOutputs(
        signature: Pointer,
        count: PointerByReference,
    ): Int

    fun LiteRtGetSignatureInputTensorByIndex(
        signature: Pointer,
        index: NativeLong,
        tensor: PointerByReference,
    ): Int

    fun LiteRtGetSignatureOutputTensorByIndex(
        signature: Pointer,
        index: NativeLong,
        tensor: PointerByReference,
    ): Int

    fun LiteRtGetRankedTensorType(
        tensor: Pointer,
        type: Pointer,
    ): Int

    fun LiteRtCreateOptions(options: PointerByReference): Int

    fun LiteRtDestroyOptions(options: Pointer)

    fun LiteRtSetOptionsHardwareAccelerators(
        options: Pointer,
        accelerators: Int,
    ): Int

    fun LiteRtCreateOpaqueOptions(
        identifier: String,
        payload: Pointer,
        destructor: Destructor,
        options: PointerByReference,
    ): Int

    fun LiteRtAddOpaqueOptions(
        options: Pointer,
        opaque: Pointer,
    ): Int

    fun LiteRtCreateCompiledModel(
        environment: Pointer,
        model: Pointer,
        options: Pointer,
        compiled: PointerByReference,
    ): Int

    fun LiteRtDestroyCompiledModel(compiled: Pointer)

    fun LiteRtCompiledModelIsFullyAccelerated(
        compiled: Pointer,
        fully: ByteByReference,
    ): Int

    fun LiteRtGetCompiledModelInputBufferRequirements(
        compiled: Pointer,
        signature: NativeLong,
        index: NativeLong,
        requirements: PointerByReference,
    ): Int

    fun LiteRtGetCompiledModelOutputBufferRequirements(
        compiled: Pointer,
        signature: NativeLong,
        index: NativeLong,
        requirements: PointerByReference,
    ): Int

    fun LiteRtCreateManagedTensorBufferFromRequirements(
        environment: Pointer,
        type: Pointer,
        requirements: Pointer,
        buffer: PointerByReference,
    ): Int

    fun LiteRtDestroyTensorBuffer(buffer: Pointer)

    fun LiteRtLockTensorBuffer(
        buffer: Pointer,
        memory: PointerByReference,
        mode: Int,
    ): Int

    fun LiteRtUnlockTensorBuffer(buffer: Pointer): Int

    fun LiteRtRunCompiledModel(
        compiled: Pointer,
        signature: NativeLong,
        inputs: NativeLong,
        inputBuffers: Array<Pointer>,
        outputs: NativeLong,
        outputBuffers: Array<Pointer>,
    ): Int

    /** Called with a payload that LiteRT has done with; its memory is Java's. */
    interface Destructor : Callback {
        fun invoke(payload: Pointer?)
    }

    companion object {
        /** The library, loaded once. */
        val instance: LiteRtLibrary by lazy {
            try {
                Native.load(System.getProperty(LIBRARY_PROPERTY) ?: LIBRARY, LiteRtLibrary::class.java)
            } catch (error: UnsatisfiedLinkError) {
                throw MissingDependencyException(
                    "libLiteRt.so is not there; it is needed to run a LiteRT file",
                    "add com.google.ai.edge.litert:litert to an Android app; elsewhere set -D$LIBRARY_PROPERTY=PATH",
                    error,
                )
            }
        }
    }
}
