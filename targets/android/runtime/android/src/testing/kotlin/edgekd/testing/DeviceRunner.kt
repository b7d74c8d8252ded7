package edgekd.testing

import org.junit.runners.model.FrameworkMethod
import org.robolectric.RobolectricTestRunner
import org.robolectric.internal.bytecode.InstrumentationConfiguration

/**
 * Robolectric, with the runtime's native libraries outside of its sandbox.
 *
 * ONNX Runtime is not among them: beside Robolectric's `libandroid_runtime.so` it overflows the stack (a function of its
 * library calls itself without end). On a phone there is no such library.
 */
class DeviceRunner(
    test: Class<*>,
) : RobolectricTestRunner(test) {
    override fun createClassLoaderConfig(method: FrameworkMethod): InstrumentationConfiguration {
        val builder = InstrumentationConfiguration.Builder(super.createClassLoaderConfig(method))
        for (name in listOf("org.opencv.", "nu.pattern.", "com.sun.jna.")) builder.doNotAcquirePackage(name)
        return builder.build()
    }
}
