package edgekd.app.state

import kotlin.math.abs

private const val LARGEST_PHOTO = 16_000_000L
private const val LARGEST_PREVIEW_SIDE = 1920
private const val SAME_SHAPE = 0.02
private const val QUARTER = 90

/** Width and height of a camera's frame, in pixels. */
data class FrameSize(
    val width: Int,
    val height: Int,
) {
    val pixels: Long get() = width.toLong() * height

    /** The size after a turn by quarters of a circle. */
    fun turned(quarters: Int): FrameSize = if (quarters % 2 == 0) this else FrameSize(height, width)
}

/** How to place the frames of a preview in its view: scaled about its centre, then turned about it. */
data class Placement(
    val scaleX: Float,
    val scaleY: Float,
    val degrees: Float,
    val shown: FrameSize,
)

/** A circle of the guide, in pixels of the view. */
data class Circle(
    val x: Float,
    val y: Float,
    val radius: Float,
)

/**
 * The placement that shows the whole frame upright in the centre of the view.
 *
 * A view of textures stretches a frame, as it is upright in the phone's natural orientation, over its whole area; on a turned
 * screen the frame is turned back.
 *
 * @param natural The frame's size, upright in the natural orientation.
 * @param quarters Turn of the screen from its natural orientation, in quarters of a circle.
 */
fun placementOf(
    view: FrameSize,
    natural: FrameSize,
    quarters: Int,
): Placement {
    val upright = natural.turned(quarters)
    val scale = minOf(view.width.toFloat() / upright.width, view.height.toFloat() / upright.height)
    return Placement(
        scaleX = natural.width * scale / view.width,
        scaleY = natural.height * scale / view.height,
        degrees = -QUARTER * quarters.toFloat(),
        shown = FrameSize((upright.width * scale).toInt(), (upright.height * scale).toInt()),
    )
}

/** The circle in which the lesion belongs: that of the centre square, which alone the network gets. */
fun guideOf(
    view: FrameSize,
    shown: FrameSize,
): Circle = Circle(view.width / 2f, view.height / 2f, minOf(shown.width, shown.height) / 2f)

/** By how many degrees a photo has to be turned clockwise to be upright, of a camera at the back. */
fun photoDegrees(
    sensorDegrees: Int,
    quarters: Int,
): Int = Math.floorMod(sensorDegrees - QUARTER * quarters, 4 * QUARTER)

/** The largest photo of a sensible size, or the smallest at all. */
fun photoSize(sizes: List<FrameSize>): FrameSize? =
    sizes.filter { it.pixels <= LARGEST_PHOTO }.maxByOrNull { it.pixels } ?: sizes.minByOrNull { it.pixels }

/** The largest preview of the photo's shape, so that the guide shows what the photo will have; else the largest. */
fun previewSize(
    sizes: List<FrameSize>,
    photo: FrameSize,
): FrameSize? {
    val shape = photo.width.toDouble() / photo.height
    val small = sizes.filter { maxOf(it.width, it.height) <= LARGEST_PREVIEW_SIDE }.ifEmpty { sizes }
    return small.filter { abs(it.width.toDouble() / it.height - shape) < SAME_SHAPE }.maxByOrNull { it.pixels }
        ?: small.maxByOrNull { it.pixels }
}
