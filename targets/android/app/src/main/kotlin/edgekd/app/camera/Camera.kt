package edgekd.app.camera

import android.graphics.SurfaceTexture
import edgekd.app.state.CameraProblem
import edgekd.app.state.FrameSize

/** A camera that shows its frames on a texture and takes photos. All calls and callbacks are on the main thread. */
interface Camera {
    /** Start the preview. */
    fun start(
        texture: SurfaceTexture,
        listener: Listener,
    )

    /**
     * Take a photo.
     *
     * @param quarters Turn of the screen from its natural orientation, in quarters of a circle.
     */
    fun take(quarters: Int)

    /** Stop, and release the camera for other apps; a photo that is being taken does not come. */
    fun stop()

    /** Who is called back. */
    interface Listener {
        /** The preview runs; [natural] is the size of its frames, upright in the phone's natural orientation. */
        fun onPreview(natural: FrameSize)

        /** The photo: a JPEG with its EXIF orientation. */
        fun onPhoto(jpeg: ByteArray)

        /** The camera cannot be used, or not any more. */
        fun onFailure(problem: CameraProblem)
    }
}
