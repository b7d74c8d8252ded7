package edgekd

import edgekd.engine.EngineOptions
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.assertThrows
import kotlin.math.abs

/** From a photo to a decision, by both engines. */
class PredictionVectorsTest {
    @TestFactory
    fun predictions(): List<DynamicTest> {
        val cases = Vectors.cases("predictions")
        assertEquals(setOf("onnx", "tflite"), cases.map { it.text("backend") }.toSet(), "backends of the vectors")
        return cases.groupBy { it.text("bundle") }.map { (bundle, group) ->
            DynamicTest.dynamicTest(bundle) { check(bundle, group) }
        }
    }

    private fun check(
        bundle: String,
        cases: List<JsonObject>,
    ) {
        val backend = cases[0].text("backend")
        assumeTrue(backend != "tflite" || LITERT != null) {
            "libLiteRt.so is not here: give -D$LITERT_PROPERTY=PATH, of the Python package ai-edge-litert"
        }
        val options = Options(engine = EngineOptions(threads = 1))
        Edgekd.open(Vectors.bytes(bundle), options).use { classifier ->
            assertEquals(emptyList<String>(), classifier.warnings)
            assertTrue(classifier.selfTest().passed)
            val differences = cases.map { compare(classifier, it) }
            println("$bundle: the largest difference of a logit is ${differences.max()}")
        }
    }

    private fun compare(
        classifier: Classifier,
        case: JsonObject,
    ): Double {
        val prediction = classifier.predictNow(Photo.Encoded(Vectors.bytes(case.text("photo"))))
        val id = case.text("id")
        val expected = case.getValue("logits").jsonArray.map { it.jsonPrimitive.content.toDouble() }
        val difference = expected.indices.maxOf { abs(expected[it] - prediction.logits[it]) }
        assertTrue(difference <= case.text("logits_tolerance").toDouble()) { "$id: a logit differs by $difference" }
        assertEquals(case.text("label"), prediction.label, id)
        assertEquals(case.text("decision"), prediction.decision.name, id)
        assertEquals(case.texts("reasons"), prediction.reasons.map { it.code }, id)
        assertEquals(case.texts("conformal_set"), prediction.conformalSet, id)
        return difference
    }

    @TestFactory
    fun `bundles that no engine may run`(): List<DynamicTest> =
        Vectors.cases("bundles").filter { it.text("runs") == "true" }.map { case ->
            DynamicTest.dynamicTest(case.text("id")) {
                val refused = case.getValue("refused").jsonObject
                val error = assertThrows<EdgekdException> { Edgekd.open(Vectors.bytes(case.text("bundle"))).close() }
                assertEquals(refused.text("exit_code").toInt(), error.exitCode)
                if (refused.text("exact") == "true") {
                    assertEquals(refused.text("message") to refused.text("hint"), error.message to error.hint)
                } else {
                    assertTrue(error.message.startsWith(refused.text("message")), error.message)
                }
            }
        }

    private companion object {
        const val LITERT_PROPERTY = "edgekd.litert.library"
        val LITERT: String? = System.getProperty(LITERT_PROPERTY)
    }
}
