package edgekd.app

import android.content.Context
import android.util.AttributeSet
import android.widget.FrameLayout

/** At most this share of the screen's height, so that on a wide screen the text below stays in sight. */
private const val SHARE_OF_HEIGHT = 0.6f

/** The place of preview and photo: a square, since the network gets the centre square of a frame. */
class PictureFrame(
    context: Context,
    attributes: AttributeSet?,
) : FrameLayout(context, attributes) {
    override fun onMeasure(
        widthMeasureSpec: Int,
        heightMeasureSpec: Int,
    ) {
        val width = MeasureSpec.getSize(widthMeasureSpec)
        val height = minOf(width, (resources.displayMetrics.heightPixels * SHARE_OF_HEIGHT).toInt())
        super.onMeasure(widthMeasureSpec, MeasureSpec.makeMeasureSpec(height, MeasureSpec.EXACTLY))
    }
}
