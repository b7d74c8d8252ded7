package edgekd.app.camera

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureFailure
import android.hardware.camera2.CaptureRequest
import android.hardware.camera2.params.OutputConfiguration
import android.hardware.camera2.params.SessionConfiguration
import android.hardware.camera2.params.StreamConfigurationMap
import android.media.ImageReader
import android.os.Handler
import android.os.Looper
import android.util.Size
import android.view.Surface
import edgekd.app.state.CameraProblem
import edgekd.app.state.FrameSize
import edgekd.app.state.photoDegrees
import edgekd.app.state.photoSize
import edgekd.app.state.previewSize

private const val QUALITY: Byte = 95
private const val QUARTER = 90
private const val FOCUS = CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE

/** The phone's camera at the back (else the first one), by camera2. */
class PlatformCamera(
    private val context: Context,
) : Camera {
    private val handler = Handler(Looper.getMainLooper())
    private var running: Running? = null

    override fun start(
        texture: SurfaceTexture,
        listener: Camera.Listener,
    ) {
        stop()
        val manager = context.getSystemService(CameraManager::class.java) ?: return listener.onFailure(CameraProblem.NONE_HERE)
        guarded(listener) {
            val id = chosen(manager)
            val sizes = id?.let { sizesOf(manager.getCameraCharacteristics(it)) }
            if (id == null || sizes == null) {
                listener.onFailure(CameraProblem.NONE_HERE)
            } else {
                running = Running(sizes, Surface(texture.sized(sizes.preview)), listener).also { open(manager, id, it) }
            }
        }
    }

    override fun take(quarters: Int) {
        running?.take(quarters)
    }

    override fun stop() {
        running?.close()
        running = null
    }

    // The activity asks for the permission before; where it was taken away meanwhile, `guarded` reports it.
    @SuppressLint("MissingPermission")
    private fun open(
        manager: CameraManager,
        id: String,
        camera: Running,
    ) = manager.openCamera(id, camera, handler)

    private fun chosen(manager: CameraManager): String? {
        val ids = manager.cameraIdList
        val back = CameraCharacteristics.LENS_FACING_BACK
        return ids.firstOrNull { manager.getCameraCharacteristics(it)[CameraCharacteristics.LENS_FACING] == back } ?: ids.firstOrNull()
    }

    private fun guarded(
        listener: Camera.Listener,
        action: () -> Unit,
    ) {
        try {
            action()
        } catch (error: CameraAccessException) {
            listener.onFailure(problemOf(error.reason))
        } catch (_: SecurityException) {
            listener.onFailure(CameraProblem.BROKEN)
        } catch (_: IllegalStateException) {
            listener.onFailure(CameraProblem.BROKEN) // it was closed meanwhile
        } catch (_: IllegalArgumentException) {
            listener.onFailure(CameraProblem.BROKEN) // it was unplugged meanwhile
        }
    }

    /** One opened camera. */
    private inner class Running(
        private val sizes: Sizes,
        private val preview: Surface,
        private val listener: Camera.Listener,
    ) : CameraDevice.StateCallback() {
        private val photos = ImageReader.newInstance(sizes.photo.width, sizes.photo.height, ImageFormat.JPEG, 1)
        private var device: CameraDevice? = null
        private var session: CameraCaptureSession? = null
        private var closed = false

        init {
            photos.setOnImageAvailableListener(::photo, handler)
        }

        override fun onOpened(camera: CameraDevice) {
            device = camera
            if (closed) return camera.close()
            val outputs = listOf(OutputConfiguration(preview), OutputConfiguration(photos.surface))
            val type = SessionConfiguration.SESSION_REGULAR
            guarded(listener) {
                camera.createCaptureSession(SessionConfiguration(type, outputs, context.mainExecutor, Sessions()))
            }
        }

        override fun onDisconnected(camera: CameraDevice) = fail(camera, CameraProblem.IN_USE)

        override fun onError(
            camera: CameraDevice,
            error: Int,
        ) = fail(camera, if (error == ERROR_CAMERA_IN_USE) CameraProblem.IN_USE else CameraProblem.BROKEN)

        fun take(quarters: Int) {
            val session = session ?: return listener.onFailure(CameraProblem.BROKEN)
            guarded(listener) {
                val request = request(session.device, CameraDevice.TEMPLATE_STILL_CAPTURE, photos.surface)
                request[CaptureRequest.JPEG_ORIENTATION] = photoDegrees(sizes.sensorDegrees, quarters)
                request[CaptureRequest.JPEG_QUALITY] = QUALITY
                session.capture(request.build(), Captures(), handler)
            }
        }

        fun close() {
            closed = true
            session?.close()
            device?.close()
            photos.close()
            preview.release()
        }

        private fun photo(reader: ImageReader) {
            val jpeg =
                reader.acquireLatestImage()?.use { image ->
                    val buffer = image.planes[0].buffer
                    ByteArray(buffer.remaining()).also { buffer.get(it) }
                }
            if (jpeg != null && !closed) listener.onPhoto(jpeg)
        }

        private fun fail(
            camera: CameraDevice,
            problem: CameraProblem,
        ) {
            camera.close()
            if (!closed) listener.onFailure(problem)
        }

        private fun request(
            camera: CameraDevice,
            template: Int,
            target: Surface,
        ): CaptureRequest.Builder =
            camera.createCaptureRequest(template).apply {
                addTarget(target)
                if (sizes.focuses) set(CaptureRequest.CONTROL_AF_MODE, FOCUS)
            }

        private inner class Sessions : CameraCaptureSession.StateCallback() {
            override fun onConfigured(configured: CameraCaptureSession) {
                if (closed) return
                session = configured
                guarded(listener) {
                    val request = request(configured.device, CameraDevice.TEMPLATE_PREVIEW, preview)
                    configured.setRepeatingRequest(request.build(), null, handler)
                    listener.onPreview(sizes.preview.turned(sizes.sensorDegrees / QUARTER))
                }
            }

            override fun onConfigureFailed(failed: CameraCaptureSession) {
                if (!closed) listener.onFailure(CameraProblem.BROKEN)
            }
        }

        private inner class Captures : CameraCaptureSession.CaptureCallback() {
            override fun onCaptureFailed(
                session: CameraCaptureSession,
                request: CaptureRequest,
                failure: CaptureFailure,
            ) {
                if (!closed) listener.onFailure(CameraProblem.BROKEN)
            }
        }
    }
}

private class Sizes(
    val photo: FrameSize,
    val preview: FrameSize,
    val sensorDegrees: Int,
    val focuses: Boolean,
)

private fun sizesOf(facts: CameraCharacteristics): Sizes? {
    val streams = facts[CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP] ?: return null
    val photo = photoSize(streams.getOutputSizes(ImageFormat.JPEG).asFrames()) ?: return null
    val preview = previewSize(streams.previews().asFrames(), photo) ?: return null
    val modes = facts[CameraCharacteristics.CONTROL_AF_AVAILABLE_MODES] ?: intArrayOf()
    return Sizes(photo, preview, facts[CameraCharacteristics.SENSOR_ORIENTATION] ?: 0, FOCUS in modes)
}

private fun StreamConfigurationMap.previews(): Array<Size>? = getOutputSizes(SurfaceTexture::class.java)

private fun Array<Size>?.asFrames(): List<FrameSize> = orEmpty().map { FrameSize(it.width, it.height) }

private fun SurfaceTexture.sized(size: FrameSize): SurfaceTexture = apply { setDefaultBufferSize(size.width, size.height) }

private fun problemOf(reason: Int): CameraProblem =
    when (reason) {
        CameraAccessException.CAMERA_IN_USE, CameraAccessException.MAX_CAMERAS_IN_USE -> CameraProblem.IN_USE
        else -> CameraProblem.BROKEN
    }
