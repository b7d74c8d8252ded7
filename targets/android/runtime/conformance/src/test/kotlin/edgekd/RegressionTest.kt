package edgekd

import edgekd.engine.EngineOptions
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.assertThrows
import java.io.File

/** Files of Python's tests: what its fuzz found, and a bundle of an earlier format. */
class RegressionTest {
    private val tests =
        System.getProperty("edgekd.repository")?.let { File(it, "tests") }

    @TestFactory
    fun `what Python's fuzz found is refused`(): List<DynamicTest> {
        val folder = tests?.let { File(it, "abuse/regressions") }
        assumeTrue(folder != null) { "give -Dedgekd.repository=PATH, which `make android` does" }
        val files = listOf("bundles", "images").flatMap { File(folder, it).listFiles().orEmpty().toList() }
        assertTrue(files.size > 5)
        return files.map { file -> DynamicTest.dynamicTest(file.name) { assertThrows<EdgekdException> { use(file) } } }
    }

    private fun use(file: File) {
        if (file.extension == "edgekd") {
            Edgekd.open(file).use { it.predictNow(Photo.Encoded(Vectors.bytes("predicted/photo-0.jpg"))) }
        } else {
            Edgekd.open(Vectors.bytes("predicted/fp32-onnx.edgekd")).use { it.predictNow(Photo.Encoded(file.readBytes())) }
        }
    }

    @Test
    fun `a bundle of format 1,5 opens and passes its self-test`() {
        assumeTrue(tests != null) { "give -Dedgekd.repository=PATH, which `make android` does" }
        val bundle = File(tests, "golden/bundles/format-1.5.edgekd")
        Edgekd.open(bundle, Options(engine = EngineOptions(threads = 1))).use { classifier ->
            assertTrue(classifier.selfTest().passed)
            val prediction = classifier.predictNow(Photo.Encoded(Vectors.bytes("predicted/photo-0.jpg")))
            assertEquals(classifier.classes, prediction.probabilities.keys.toList())
        }
    }
}
