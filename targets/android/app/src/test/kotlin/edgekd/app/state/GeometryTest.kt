package edgekd.app.state

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import kotlin.math.cos
import kotlin.math.sin

class GeometryTest {
    /** Where a placement puts a point of the natural frame; both in fractions about the centre, the result in pixels. */
    private fun placed(
        placement: Placement,
        view: FrameSize,
        x: Double,
        y: Double,
    ): Pair<Int, Int> {
        val scaledX = x * view.width * placement.scaleX
        val scaledY = y * view.height * placement.scaleY
        val angle = Math.toRadians(placement.degrees.toDouble())
        return Math.round(scaledX * cos(angle) - scaledY * sin(angle)).toInt() to
            Math.round(scaledX * sin(angle) + scaledY * cos(angle)).toInt()
    }

    @Test
    fun `a preview is shown whole, in its shape, and turned back on a turned screen`() {
        val view = FrameSize(1000, 1000)
        val natural = FrameSize(480, 640)
        // The frame's upper right corner, as it is upright, in each turn of the screen.
        val corners = listOf(375 to -500, -500 to -375, -375 to 500, 500 to 375)
        for (quarters in 0..3) {
            val placement = placementOf(view, natural, quarters)
            assertEquals(corners[quarters], placed(placement, view, 0.5, -0.5), "$quarters")
            assertEquals(FrameSize(750, 1000).turned(quarters), placement.shown)
        }
    }

    @Test
    fun `a view that is not square leaves bars`() {
        val placement = placementOf(FrameSize(800, 600), FrameSize(480, 640), 1)
        assertEquals(FrameSize(800, 600), placement.shown)
        assertEquals(FrameSize(450, 600), placementOf(FrameSize(800, 600), FrameSize(480, 640), 0).shown)
    }

    @Test
    fun `the guide is around the centre square`() {
        assertEquals(Circle(400f, 300f, 225f), guideOf(FrameSize(800, 600), FrameSize(450, 600)))
    }

    @Test
    fun `photos are turned upright`() {
        assertEquals(listOf(90, 0, 270, 180), (0..3).map { photoDegrees(90, it) })
        assertEquals(listOf(270, 180, 90, 0), (0..3).map { photoDegrees(270, it) })
    }

    @Test
    fun `photos are large, but not enormous`() {
        val sizes = listOf(FrameSize(640, 480), FrameSize(9000, 6000), FrameSize(4000, 3000))
        assertEquals(FrameSize(4000, 3000), photoSize(sizes))
        assertEquals(FrameSize(9000, 6000), photoSize(listOf(FrameSize(12_000, 9000), FrameSize(9000, 6000))))
        assertNull(photoSize(emptyList()))
    }

    @Test
    fun `a preview has the photo's shape`() {
        val sizes = listOf(FrameSize(1920, 1080), FrameSize(1440, 1080), FrameSize(640, 480), FrameSize(4000, 3000))
        assertEquals(FrameSize(1440, 1080), previewSize(sizes, FrameSize(4000, 3000)))
        assertEquals(FrameSize(1920, 1080), previewSize(sizes, FrameSize(3000, 3000)))
        assertNull(previewSize(emptyList(), FrameSize(4000, 3000)))
    }
}
