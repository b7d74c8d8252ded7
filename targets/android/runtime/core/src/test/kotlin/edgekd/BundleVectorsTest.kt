package edgekd

import edgekd.bundle.Bundle
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.TestFactory

class BundleVectorsTest {
    @TestFactory
    fun bundles() =
        Vectors.tests("bundles") { case ->
            // Those that an engine opens too are checked where the engines are.
            if (case.text("runs") == "true") return@tests
            val bytes = Vectors.bytes(case.text("bundle"))
            val key = case.orNull("public_key")?.let { Vectors.bytes(it.jsonPrimitive.content) }
            val refused = case.orNull("refused")
            if (refused != null) {
                assertRefused(refused.jsonObject) { Bundle.open(bytes, key).close() }
            } else {
                Bundle.open(bytes, key).use { bundle ->
                    assertEquals(case.text("sha256"), bundle.sha256)
                    assertEquals(
                        case.text("signature"),
                        bundle.signature.name
                            .lowercase()
                            .replace('_', ' '),
                    )
                    assertEquals(case.texts("classes"), bundle.manifest.classes)
                    assertEquals(case.orNull("coverage")?.number(), bundle.manifest.capture?.coverage)
                    assertEquals(case.texts("warnings"), bundle.manifest.warnings)
                }
            }
        }
}
