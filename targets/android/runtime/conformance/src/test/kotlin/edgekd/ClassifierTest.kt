package edgekd

import edgekd.engine.EngineOptions
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.io.File

/** What an app does with a classifier beside asking for one decision. */
class ClassifierTest {
    private val bundle = Vectors.bytes("predicted/int8-onnx.edgekd")
    private val photos = (0..7).map { Photo.Encoded(Vectors.bytes("predicted/photo-$it.jpg")) }

    private fun opened(options: Options = Options(engine = EngineOptions(threads = 1))) = Edgekd.open(bundle, options)

    @Test
    fun `many coroutines get the answers of one`(): Unit =
        opened().use { classifier ->
            val alone = photos.map { classifier.predictNow(it).logits }
            val together =
                runBlocking {
                    List(5) { photos.map { photo -> async { classifier.predict(photo).logits } } }.flatten().awaitAll()
                }
            assertEquals(List(5) { alone }.flatten(), together)
        }

    @Test
    fun `a camera's flow ends with the decision on its last frame`(): Unit =
        opened().use { classifier ->
            val frames =
                flow {
                    photos.forEach {
                        emit(it)
                        delay(1)
                    }
                }
            val predictions = runBlocking { classifier.predict(frames).toList() }
            assertTrue(predictions.size in 1..photos.size)
            assertEquals(classifier.predictNow(photos.last()).logits, predictions.last().logits)
        }

    @Test
    fun `without quality nothing is measured`(): Unit =
        opened(Options(quality = false)).use { classifier ->
            val dark = classifier.predictNow(Photo.Encoded(Vectors.bytes("predicted/dark.png")))
            assertNull(dark.quality)
            assertTrue(dark.decision !is Decision.Retake)
        }

    @Test
    fun `pixels get the answer of their lossless file`(): Unit =
        opened().use { classifier ->
            val square = classifier.preprocessed(photos[0])
            val side = classifier.imageSize
            assertEquals(square.toList(), classifier.preprocessed(Photo.Rgb(square, side, side)).toList())
            assertThrows<ImageException> { classifier.predictNow(Photo.Rgb(square, side, side + 1)) }
            Unit
        }

    @Test
    fun `a closed classifier refuses`() {
        val classifier = opened()
        classifier.close()
        classifier.close()
        assertThrows<IllegalStateException> { classifier.predictNow(photos[0]) }
    }

    @Test
    fun `an accelerator that is not there is a warning, or an error where it is required`() {
        opened(Options(engine = EngineOptions(accelerator = "npu"))).use { assertEquals(1, it.warnings.size) }
        val required = Options(engine = EngineOptions(accelerator = "npu", require = true))
        assertEquals(5, assertThrows<DeviceUnreachableException> { opened(required) }.exitCode)
    }

    @Test
    fun `a bundle whose engine is not there says which library to add`() {
        val error = assertThrows<MissingDependencyException> { opened(Options(engines = emptyList())) }
        assertEquals(3, error.exitCode)
        assertTrue("onnx" in error.message, error.message)
    }

    @Test
    fun `more threads than a machine can use are refused`() {
        assertThrows<InputException> { EngineOptions(threads = 0) }
        assertThrows<InputException> { EngineOptions(threads = 100_000) }
        assertThrows<InputException> { EngineOptions(accelerator = " ") }
    }

    @Test
    fun `LiteRT takes the number of threads`() {
        val tasks = File("/proc/self/task")
        assumeTrue(System.getProperty("edgekd.litert.library") != null) { "give -Dedgekd.litert.library=PATH" }
        assumeTrue(tasks.isDirectory) { "threads are counted by Linux's /proc" }
        val (alone, together) =
            listOf(1, 9).map { threads ->
                val options = Options(engine = EngineOptions(threads = threads))
                Edgekd.open(Vectors.bytes("predicted/fp32-tflite.edgekd"), options).use {
                    it.predictNow(photos[0])
                    tasks.list().orEmpty().size
                }
            }
        // Some of the JVM's own threads may come or go between.
        assertTrue(together - alone in 5..11) { "$alone threads, then $together" }
    }
}
