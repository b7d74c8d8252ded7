package edgekd

import edgekd.engine.EngineOptions
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.assertThrows

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
        assumeEngine(backend)
        val options = Options(engine = EngineOptions(threads = 1))
        Edgekd.open(Vectors.bytes(bundle), options).use { classifier ->
            assertEquals(emptyList<String>(), classifier.warnings)
            assertTrue(classifier.selfTest().passed)
            val differences =
                cases.map { requireSame(it, classifier.predictNow(Photo.Encoded(Vectors.bytes(it.text("photo"))))) }
            println("$bundle: the largest difference of a logit is ${differences.max()}")
        }
    }

    @TestFactory
    fun `bundles that an engine opens, or is kept from`(): List<DynamicTest> =
        Vectors.cases("bundles").filter { it.text("runs") == "true" }.map { case ->
            DynamicTest.dynamicTest(case.text("id")) {
                if (case.text("id").startsWith("signed-tflite")) assumeEngine("tflite")
                val key = case.getValue("public_key") as? JsonPrimitive
                val options = Options(publicKey = key?.takeIf { it !is JsonNull }?.let { Vectors.bytes(it.content) })
                val bundle = Vectors.bytes(case.text("bundle"))
                when (val refused = case.getValue("refused")) {
                    is JsonObject -> requireRefused(refused) { Edgekd.open(bundle, options).close() }
                    else -> Edgekd.open(bundle, options).use { requireOpened(case, it) }
                }
            }
        }

    private fun assumeEngine(backend: String) =
        assumeTrue(backend != "tflite" || LITERT != null) {
            "libLiteRt.so is not here: give -D$LITERT_PROPERTY=PATH, of the Python package ai-edge-litert"
        }

    private fun requireOpened(
        case: JsonObject,
        classifier: Classifier,
    ) {
        assertEquals(case.text("sha256"), classifier.bundleSha256)
        assertEquals(case.text("signature"), classifier.signature.name.lowercase())
        assertEquals(case.texts("classes"), classifier.classes)
        assertEquals(case.texts("warnings"), classifier.warnings)
    }

    private fun requireRefused(
        refused: JsonObject,
        work: () -> Unit,
    ) {
        val error = assertThrows<EdgekdException> { work() }
        assertEquals(refused.text("exit_code").toInt(), error.exitCode)
        if (refused.text("exact") == "true") {
            assertEquals(refused.text("message") to refused.text("hint"), error.message to error.hint)
        } else {
            assertTrue(error.message.startsWith(refused.text("message")), error.message)
        }
    }

    private companion object {
        const val LITERT_PROPERTY = "edgekd.litert.library"
        val LITERT: String? = System.getProperty(LITERT_PROPERTY)
    }
}
