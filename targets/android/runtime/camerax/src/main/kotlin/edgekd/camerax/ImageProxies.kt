package edgekd.camerax

import androidx.camera.core.ImageProxy
import edgekd.Photo
import edgekd.android.FramePlane
import edgekd.android.photoOf
import edgekd.android.requireYuv

/** The photo of a frame of CameraX's `ImageAnalysis`, turned upright. Its bytes are copied: close the frame afterwards. */
fun ImageProxy.toPhoto(): Photo.Yuv {
    requireYuv(format)
    val planes = planes.map { FramePlane(it.buffer, it.rowStride, it.pixelStride) }
    return photoOf(planes, width, height, imageInfo.rotationDegrees)
}
