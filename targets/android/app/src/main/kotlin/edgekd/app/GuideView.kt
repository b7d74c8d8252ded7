package edgekd.app

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View
import edgekd.app.state.FrameSize
import edgekd.app.state.guideOf

private const val LINE = 3f
private const val EDGE = 6f

/** The middle of the circle, in which the lesion belongs. */
private const val MIDDLE = 0.12f

/** The capture guide: a circle around what the network gets, and a mark in its middle. White on black is seen on any skin. */
class GuideView(
    context: Context,
    attributes: AttributeSet?,
) : View(context, attributes) {
    private val density = resources.displayMetrics.density
    private val edge = paint(R.color.guide_edge, EDGE)
    private val line = paint(R.color.guide, LINE)

    /** Size of the preview as it is shown; null before the camera runs. */
    var shown: FrameSize? = null
        set(value) {
            field = value
            invalidate()
        }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val size = FrameSize(width, height)
        val circle = guideOf(size, shown ?: size)
        val radius = circle.radius - EDGE * density / 2
        for (paint in listOf(edge, line)) {
            canvas.drawCircle(circle.x, circle.y, radius, paint)
            canvas.drawCircle(circle.x, circle.y, radius * MIDDLE, paint)
        }
    }

    private fun paint(
        color: Int,
        width: Float,
    ) = Paint(Paint.ANTI_ALIAS_FLAG).also {
        it.style = Paint.Style.STROKE
        it.strokeWidth = width * density
        it.color = context.getColor(color)
    }
}
