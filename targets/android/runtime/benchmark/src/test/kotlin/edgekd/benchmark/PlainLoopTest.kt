package edgekd.benchmark

import edgekd.Edgekd
import edgekd.Options
import edgekd.Photo
import edgekd.engine.EngineOptions
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import java.io.File

/** What is compared does the same work. */
class PlainLoopTest {
    @Test
    fun `the loop's logits are the runtime's`() {
        val vectors = System.getProperty("edgekd.vectors")
        assumeTrue(vectors != null) { "give -Dedgekd.vectors=DIR, which `make android` does" }
        assumeTrue(System.getProperty("edgekd.litert.library") != null) { "libLiteRt.so is not here: give its path" }
        val folder = File(vectors, "predicted")
        val bundle = File(folder, "int8-tflite.edgekd").readBytes()
        val photos = folder.listFiles { file -> file.name.startsWith("photo-") }!!.sorted()
        assertTrue(photos.size > 5)
        val options = Options(engine = EngineOptions(threads = 1))
        Edgekd.open(bundle, options).use { classifier ->
            for (photo in photos.map(File::readBytes)) {
                val expected = classifier.predictNow(Photo.Encoded(photo)).logits.toFloatArray()
                PlainLoop(modelIn(bundle), SHORTER).use { assertArrayEquals(expected, it.logits(photo)) }
            }
        }
    }

    private companion object {
        /** Of all these photos. */
        const val SHORTER = 260
    }
}
