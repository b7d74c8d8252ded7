package edgekd

import edgekd.bundle.sha256
import edgekd.images.squareOf
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.TestFactory

class PlanesVectorsTest {
    @TestFactory
    fun planes() =
        Vectors.tests("planes") { case ->
            val frame =
                Photo.Yuv(
                    plane(case, "y"),
                    plane(case, "u"),
                    plane(case, "v"),
                    case.text("width").toInt(),
                    case.text("height").toInt(),
                    case.text("turn").toInt(),
                )
            val size = case.text("size").toInt()
            val refused = case.orNull("refused")
            if (refused != null) {
                assertRefused(refused.jsonObject) { squareOf(frame, size) }
            } else {
                assertEquals(case.text("sha256"), sha256(squareOf(frame, size).rgb))
            }
        }

    private fun plane(
        case: JsonObject,
        name: String,
    ): Photo.Plane {
        val plane = case.getValue(name).jsonObject
        val strides = listOf("row_stride", "pixel_stride").map { plane.text(it).toInt() }
        return Photo.Plane(Vectors.bytes(plane.text("file")), strides[0], strides[1])
    }
}
