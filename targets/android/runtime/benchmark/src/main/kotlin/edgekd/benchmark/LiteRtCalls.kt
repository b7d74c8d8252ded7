package edgekd.benchmark

import com.sun.jna.Function
import com.sun.jna.NativeLibrary
import com.sun.jna.NativeLong
import com.sun.jna.Pointer
import com.sun.jna.ptr.PointerByReference

internal val FIRST = NativeLong(0)
internal val SINGLE = NativeLong(1)

/** LiteRT's C functions by their names; what they make is released by [close], the last first. */
internal class LiteRtCalls : AutoCloseable {
    private val functions = mutableMapOf<String, Function>()
    private val releases = ArrayDeque<() -> Unit>()

    /** Call a function that returns a status. */
    fun call(
        name: String,
        vararg arguments: Any?,
    ) = succeed(name, arguments.toList())

    /** What a function with an address for its result as its last argument gives. */
    fun got(
        name: String,
        vararg arguments: Any?,
    ): Pointer {
        val result = PointerByReference()
        succeed(name, arguments.toList() + result)
        return result.value
    }

    /** The same, destroyed as a thing of its kind by [close]. */
    fun Pointer.releasedAs(kind: String): Pointer {
        releases.addLast { function("LiteRtDestroy$kind").invokeVoid(arrayOf(this)) }
        return this
    }

    /** The memory of a tensor buffer while [use] runs. */
    fun <T> locked(
        buffer: Pointer,
        mode: Int,
        use: (Pointer) -> T,
    ): T {
        val memory = PointerByReference()
        call("LiteRtLockTensorBuffer", buffer, memory, mode)
        return use(memory.value).also { call("LiteRtUnlockTensorBuffer", buffer) }
    }

    override fun close() {
        while (releases.isNotEmpty()) releases.removeLast().invoke()
    }

    private fun succeed(
        name: String,
        arguments: List<Any?>,
    ) {
        val status = function(name).invokeInt(arguments.toTypedArray())
        check(status == 0) { "$name returns $status" }
    }

    private fun function(name: String): Function = functions.getOrPut(name) { LIBRARY.getFunction(name) }

    private companion object {
        val LIBRARY: NativeLibrary by lazy {
            NativeLibrary.getInstance(System.getProperty("edgekd.litert.library") ?: "LiteRt")
        }
    }
}
