package edgekd.app

import android.Manifest
import android.app.Activity
import android.content.Intent
import android.content.pm.PackageManager
import android.graphics.Matrix
import android.graphics.SurfaceTexture
import android.net.Uri
import android.os.Bundle
import android.provider.Settings
import android.view.TextureView
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.ImageView
import android.widget.TextView
import edgekd.app.camera.Camera
import edgekd.app.state.CameraProblem
import edgekd.app.state.Dermatoscope
import edgekd.app.state.FrameSize
import edgekd.app.state.Phase
import edgekd.app.state.Screen
import edgekd.app.state.TakenPhoto
import edgekd.app.state.Verdict
import edgekd.app.state.placementOf
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch

private const val CAMERA_REQUEST = 1

/** The one screen of the app. It shows what [Dermatoscope] says, and passes on what the user and the camera do. */
class MainActivity :
    Activity(),
    Camera.Listener,
    TextureView.SurfaceTextureListener {
    private val scope: CoroutineScope = MainScope()
    private lateinit var dermatoscope: Dermatoscope
    private lateinit var camera: Camera
    private var resumed = false
    private var running = false
    private var natural: FrameSize? = null
    private var shown: TakenPhoto? = null
    private var showing: Job? = null

    private fun <V : View> view(id: Int): V = requireViewById(id)

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        // A patient's photo is neither in screenshots nor in the list of recent apps.
        window.addFlags(WindowManager.LayoutParams.FLAG_SECURE or WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        setContentView(R.layout.main)
        val app = application as DermatoscopeApplication
        camera = app.camera()
        dermatoscope = lastNonConfigurationInstance as Dermatoscope? ?: Dermatoscope(MainScope(), app::openBundle)
        view<TextureView>(R.id.preview).surfaceTextureListener = this
        view<View>(R.id.picture).addOnLayoutChangeListener { _, _, _, _, _, _, _, _, _ -> placePreview() }
        view<Button>(R.id.action).setOnClickListener { act() }
        val denied = checkSelfPermission(Manifest.permission.CAMERA) != PackageManager.PERMISSION_GRANTED
        if (denied && savedInstanceState == null) requestPermissions(arrayOf(Manifest.permission.CAMERA), CAMERA_REQUEST)
        scope.launch { dermatoscope.screen.collect(::show) }
        dermatoscope.start()
    }

    override fun onResume() {
        super.onResume()
        resumed = true
        // It may have been changed in the settings.
        dermatoscope.cameraAllowed(checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED)
        runCamera()
    }

    override fun onPause() {
        resumed = false
        runCamera()
        super.onPause()
    }

    override fun onDestroy() {
        scope.cancel()
        if (!isChangingConfigurations) dermatoscope.close()
        super.onDestroy()
    }

    override fun onRetainNonConfigurationInstance(): Any = dermatoscope

    override fun onRequestPermissionsResult(
        requestCode: Int,
        permissions: Array<String>,
        grantResults: IntArray,
    ) {
        if (requestCode == CAMERA_REQUEST) {
            dermatoscope.cameraAllowed(grantResults.firstOrNull() == PackageManager.PERMISSION_GRANTED)
        }
    }

    private fun act() {
        when (dermatoscope.screen.value.phase) {
            Phase.Aiming -> if (running && dermatoscope.shutter()) camera.take(quarters())
            Phase.NeedsPermission -> allowCamera()
            else -> dermatoscope.again()
        }
    }

    private fun allowCamera() {
        if (shouldShowRequestPermissionRationale(Manifest.permission.CAMERA)) {
            requestPermissions(arrayOf(Manifest.permission.CAMERA), CAMERA_REQUEST)
        } else {
            // Android asks no more than twice; then only the settings help.
            val place = Uri.fromParts("package", packageName, null)
            startActivity(Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, place))
        }
    }

    private fun show(screen: Screen) {
        val phase = screen.phase
        val sentences = resources.sentencesOf(phase)
        val headline = view<TextView>(R.id.headline)
        headline.setTextColor(getColor(colourOf(phase)))
        headline.show(sentences.headline)
        view<TextView>(R.id.body).show(sentences.body)
        view<TextView>(R.id.detail).show(sentences.detail)
        view<TextView>(R.id.warnings).show(screen.bundle?.let(resources::warningsOf).orEmpty())
        view<TextView>(R.id.about).show(screen.bundle?.let(resources::textOf).orEmpty())
        showAction(phase)
        view<View>(R.id.picture).visibility = visible(phase.preview || phase.frozen != null)
        view<View>(R.id.guide).visibility = visible(phase.preview)
        showPhoto(phase.frozen)
        runCamera()
    }

    private fun showAction(phase: Phase) {
        val action = view<Button>(R.id.action)
        action.isEnabled = phase != Phase.Taking
        action.show(
            when (phase) {
                Phase.Opening, is Phase.Unusable, is Phase.Deciding -> ""
                Phase.NeedsPermission -> getString(R.string.allow_camera)
                is Phase.CameraFailed -> getString(R.string.retry)
                Phase.Aiming, Phase.Taking -> getString(R.string.take)
                is Phase.Decided, is Phase.Unreadable -> getString(R.string.again)
            },
        )
    }

    private fun showPhoto(photo: TakenPhoto?) {
        val frozen = view<ImageView>(R.id.frozen)
        frozen.visibility = visible(photo != null)
        val hidden = if (photo == null) View.IMPORTANT_FOR_ACCESSIBILITY_AUTO else View.IMPORTANT_FOR_ACCESSIBILITY_NO
        view<View>(R.id.preview).importantForAccessibility = hidden
        if (photo === shown) return
        shown = photo
        showing?.cancel()
        frozen.setImageDrawable(null)
        if (photo != null) showing = scope.launch { frozen.setImageBitmap(shownPhoto(photo)) }
    }

    /** Start or stop the camera, as the phase and the state of the activity demand. */
    private fun runCamera() {
        val texture = view<TextureView>(R.id.preview).surfaceTexture
        val needed = texture.takeIf { resumed && dermatoscope.screen.value.phase.preview }
        if ((needed != null) == running) return
        running = needed != null
        if (needed != null) {
            camera.start(needed, this)
        } else {
            camera.stop()
            dermatoscope.interrupted()
        }
    }

    override fun onPreview(natural: FrameSize) {
        this.natural = natural
        placePreview()
    }

    override fun onPhoto(jpeg: ByteArray) = dermatoscope.taken(jpeg)

    override fun onFailure(problem: CameraProblem) {
        running = false
        camera.stop()
        dermatoscope.cameraFailed(problem)
    }

    private fun placePreview() {
        val preview = view<TextureView>(R.id.preview)
        val natural = natural ?: return
        if (preview.width == 0 || preview.height == 0) return
        val placement = placementOf(FrameSize(preview.width, preview.height), natural, quarters())
        val x = preview.width / 2f
        val y = preview.height / 2f
        val matrix = Matrix()
        matrix.setScale(placement.scaleX, placement.scaleY, x, y)
        matrix.postRotate(placement.degrees, x, y)
        preview.setTransform(matrix)
        view<GuideView>(R.id.guide).shown = placement.shown
    }

    /** Turn of the screen from its natural orientation. */
    private fun quarters(): Int = view<View>(R.id.preview).display?.rotation ?: 0

    override fun onSurfaceTextureAvailable(
        surface: SurfaceTexture,
        width: Int,
        height: Int,
    ) = runCamera()

    override fun onSurfaceTextureSizeChanged(
        surface: SurfaceTexture,
        width: Int,
        height: Int,
    ) = placePreview()

    override fun onSurfaceTextureDestroyed(surface: SurfaceTexture): Boolean {
        if (running) {
            running = false
            camera.stop()
            dermatoscope.interrupted()
        }
        return true
    }

    override fun onSurfaceTextureUpdated(surface: SurfaceTexture) = Unit
}

private fun visible(yes: Boolean): Int = if (yes) View.VISIBLE else View.GONE

/** Show a text; nothing where it is empty. What is shown already is not set again: screen readers would repeat it. */
private fun TextView.show(content: String) {
    if (text.toString() != content) text = content
    visibility = visible(content.isNotEmpty())
}

private fun colourOf(phase: Phase): Int =
    when (phase) {
        is Phase.Decided -> {
            when (phase.outcome.verdict) {
                Verdict.ANSWER -> R.color.answer
                Verdict.REFER -> R.color.refer
                Verdict.RETAKE -> R.color.retake
            }
        }

        is Phase.Unusable, is Phase.CameraFailed, is Phase.Unreadable -> {
            R.color.refer
        }

        else -> {
            R.color.text
        }
    }
