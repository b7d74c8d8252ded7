package edgekd

import edgekd.bundle.captureRule
import edgekd.capture.examine
import edgekd.capture.featuresOf
import edgekd.capture.problems
import edgekd.capture.viewsOf
import edgekd.images.Square
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.TestFactory
import kotlin.math.max

class CaptureVectorsTest {
    @TestFactory
    fun captures() =
        Vectors.tests("captures") { case ->
            val square = Square(case.text("size").toInt(), Vectors.bytes(case.text("square")))
            val rule = captureRule(case.getValue("rule").jsonObject)
            val tolerance = case.getValue("tolerance").number()
            val quality = examine(square, rule)
            case.getValue("measures").jsonObject.forEach { (name, value) ->
                assertEquals(value.number(), quality.measures.toMap().getValue(name), tolerance, name)
            }
            val features = featuresOf(viewsOf(square))
            case.getValue("features").jsonArray.forEachIndexed { index, value ->
                assertEquals(value.number(), features[index], tolerance, "feature $index")
            }
            val distance = case.orNull("distance")?.number()
            assertEquals(distance == null, quality.distance == null)
            if (distance != null) {
                assertEquals(distance, quality.distance!!, tolerance * max(1.0, distance), "distance")
            }
            assertEquals(case.reasons(), problems(quality, rule).map { it.code to it.text })
        }
}
