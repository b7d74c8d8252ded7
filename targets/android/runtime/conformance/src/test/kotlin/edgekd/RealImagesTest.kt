package edgekd

import edgekd.engine.EngineOptions
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import kotlin.math.abs

/** The student that ships on real photos, which are not part of the project: `tests/conformance/make_real_images.py`. */
class RealImagesTest {
    @Test
    fun `decisions and reasons on real photos are Python's`() {
        val place = System.getProperty("edgekd.images")
        assumeTrue(place != null) { "there are no real photos here: docs/android.md says how to get them" }
        val vectors = VectorFolder(place)
        val cases = vectors.cases("predictions")
        assertEquals(setOf("onnx", "tflite"), cases.map { it.text("backend") }.toSet())
        cases.groupBy { it.text("bundle") }.forEach { (bundle, cases) -> check(vectors, bundle, cases) }
    }

    private fun check(
        vectors: VectorFolder,
        bundle: String,
        cases: List<JsonObject>,
    ) {
        Edgekd.open(vectors.bytes(bundle), Options(engine = EngineOptions(threads = 1))).use { classifier ->
            assertTrue(classifier.selfTest().passed, bundle)
            val differences = cases.map { compare(classifier, vectors, it) }
            val decisions = cases.groupingBy { it.text("decision") }.eachCount()
            println("$bundle: ${cases.size} photos, $decisions; a probability differs by ${differences.max()} at most")
        }
    }

    private fun compare(
        classifier: Classifier,
        vectors: VectorFolder,
        case: JsonObject,
    ): Double {
        val prediction = classifier.predictNow(Photo.Encoded(vectors.bytes(case.text("photo"))))
        requireSame(case, prediction)
        return case.getValue("probabilities").jsonObject.maxOf { (name, value) ->
            abs(value.jsonPrimitive.content.toDouble() - prediction.probabilities.getValue(name))
        }
    }
}
