package edgekd.app

import android.Manifest
import android.graphics.SurfaceTexture
import android.os.Looper
import android.view.TextureView
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.ImageView
import android.widget.TextView
import edgekd.app.state.CameraProblem
import edgekd.app.state.FrameSize
import edgekd.testing.DeviceRunner
import edgekd.testing.Vectors
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config

private const val FLOAT = "predicted/fp32-tflite.edgekd"
private const val PATIENCE_MS = 60_000L

/** The whole app but for the phone's camera: layout, resources, a real bundle and its engine. */
@RunWith(DeviceRunner::class)
@Config(application = AppUnderTest::class)
class MainActivityTest {
    private val app get() = RuntimeEnvironment.getApplication() as AppUnderTest
    private lateinit var controller: ActivityController<MainActivity>
    private val activity get() = controller.get()
    private val camera get() = app.cameras.last()

    private fun launch(
        bundle: String = FLOAT,
        permission: Boolean = true,
    ) {
        requireLiteRt()
        AppUnderTest.bundle = bundle
        if (permission) shadowOf(app).grantPermissions(Manifest.permission.CAMERA)
        controller = Robolectric.buildActivity(MainActivity::class.java).setup()
        giveTexture()
        waitUntil { text(R.id.headline) != activity.getString(R.string.opening) }
    }

    /** What a phone's graphics do by themselves. */
    private fun giveTexture() {
        val preview = activity.findViewById<TextureView>(R.id.preview)!!
        if (preview.surfaceTexture == null) preview.setSurfaceTexture(SurfaceTexture(0))
        preview.surfaceTextureListener!!.onSurfaceTextureAvailable(preview.surfaceTexture!!, 100, 100)
    }

    private fun photograph(photo: String) {
        click()
        camera.listener!!.onPhoto(Vectors.bytes(photo))
        val before = listOf(R.string.aim, R.string.taking, R.string.deciding).map(activity::getString)
        waitUntil { text(R.id.headline) !in before }
    }

    private fun click() {
        activity.findViewById<Button>(R.id.action)!!.performClick()
        shadowOf(Looper.getMainLooper()).idle()
    }

    private fun waitUntil(condition: () -> Boolean) {
        val end = System.nanoTime() + PATIENCE_MS * 1_000_000
        while (!condition()) {
            check(System.nanoTime() < end) { "nothing happened; the screen says: ${text(R.id.headline)}" }
            shadowOf(Looper.getMainLooper()).idle()
            Thread.sleep(5)
        }
    }

    private fun text(id: Int): String {
        val view = activity.findViewById<TextView>(id)!!
        return if (view.visibility == View.VISIBLE) view.text.toString() else ""
    }

    private fun isVisible(id: Int) = activity.findViewById<View>(id)!!.visibility == View.VISIBLE

    @After
    fun finish() {
        AppUnderTest.warnings = emptyList()
        if (::controller.isInitialized) controller.pause().stop().destroy()
    }

    @Test
    fun `from the preview to an answer, and back`() {
        launch()
        assertEquals(activity.getString(R.string.aim), text(R.id.headline))
        assertTrue(isVisible(R.id.guide))
        photograph("predicted/photo-2.jpg")
        assertTrue(text(R.id.headline), text(R.id.headline).startsWith("Assessment: nv ("))
        assertEquals("Cannot be excluded: nv", text(R.id.body))
        assertEquals(null, camera.listener)
        click()
        assertEquals(activity.getString(R.string.aim), text(R.id.headline))
        assertNotNull(camera.listener)
        assertFalse(isVisible(R.id.frozen))
    }

    @Test
    fun `a referral shows reasons and set, and no label`() {
        launch()
        photograph("predicted/photo-4.jpg")
        assertEquals(activity.getString(R.string.refer), text(R.id.headline))
        assertEquals("The model is unsure.\nCannot be excluded: mel, nv", text(R.id.body))
        assertTrue(text(R.id.detail), text(R.id.detail).startsWith("the top probability "))
    }

    @Test
    fun `a photo to be retaken is frozen beside its reasons`() {
        launch()
        photograph("predicted/dark.png")
        assertEquals("Take the photo again.", text(R.id.headline))
        val words = listOf(R.string.reason_blurred, R.string.reason_dark, R.string.reason_unlike)
        assertEquals(words.joinToString("\n", transform = activity::getString), text(R.id.body))
        assertTrue(isVisible(R.id.frozen))
        assertFalse(isVisible(R.id.guide))
        waitUntil { activity.findViewById<ImageView>(R.id.frozen)!!.drawable != null }
    }

    @Test
    fun `a damaged photo is told, and another can be taken`() {
        launch()
        photograph("photos/truncated.jpg")
        assertEquals(activity.getString(R.string.unreadable), text(R.id.headline))
        assertTrue(text(R.id.detail), text(R.id.detail).startsWith("the image "))
        click()
        photograph("predicted/photo-2.jpg")
        assertTrue(text(R.id.headline).startsWith("Assessment: "))
    }

    @Test
    fun `a bundle that is not there ends in words`() {
        launch("model.edgekd")
        assertEquals(activity.getString(R.string.unusable), text(R.id.headline))
        assertTrue(text(R.id.detail).startsWith("there is no asset model.edgekd\n"))
        assertFalse(isVisible(R.id.action))
        assertFalse(isVisible(R.id.picture))
    }

    @Test
    fun `the warnings of the bundle are shown beside preview, decision and photo`() {
        AppUnderTest.warnings = listOf("for research, not certified", "the GPU was not obtained")
        launch()
        val expected = "Warning: for research, not certified\nWarning: the GPU was not obtained"
        for (photo in listOf(null, "predicted/photo-2.jpg", "predicted/dark.png")) {
            if (photo != null) photograph(photo)
            assertEquals(expected, text(R.id.warnings))
            if (photo != null) click()
        }
    }

    @Test
    fun `decision support and the bundle are named on every screen`() {
        launch()
        for (photo in listOf(null, "predicted/photo-2.jpg")) {
            if (photo != null) photograph(photo)
            assertEquals(activity.getString(R.string.decision_support), text(R.id.decision_support))
            assertTrue(text(R.id.about), text(R.id.about).endsWith(", not signed."))
        }
    }

    @Test
    @Config(qualifiers = "de")
    fun `in German`() {
        launch()
        photograph("predicted/photo-4.jpg")
        assertEquals("Überweisen: Es wird keine Einschätzung gegeben.", text(R.id.headline))
        assertEquals("Das Modell ist unsicher.\nNicht auszuschließen: mel, nv", text(R.id.body))
    }

    @Test
    fun `without the permission the app says why it needs the camera`() {
        launch(permission = false)
        assertEquals(activity.getString(R.string.needs_permission), text(R.id.headline))
        assertFalse(isVisible(R.id.picture))
        click()
        assertNotNull(shadowOf(app).nextStartedActivity)
        controller.pause()
        shadowOf(app).grantPermissions(Manifest.permission.CAMERA)
        controller.resume()
        waitUntil { text(R.id.headline) == activity.getString(R.string.aim) }
    }

    @Test
    fun `a camera that fails is told and tried again`() {
        launch()
        camera.listener!!.onFailure(CameraProblem.IN_USE)
        waitUntil { text(R.id.headline) == activity.getString(R.string.camera_in_use) }
        click()
        waitUntil { camera.listener != null }
    }

    @Test
    fun `a decision survives a turn of the screen`() {
        launch()
        photograph("predicted/photo-4.jpg")
        val before = text(R.id.headline)
        val first = activity
        controller.recreate()
        assertNotEquals(first, activity)
        waitUntil { text(R.id.headline) == before }
    }

    @Test
    fun `the camera is free while the app is in the background`() {
        launch()
        controller.pause()
        assertEquals(null, camera.listener)
        controller.resume()
        assertNotNull(camera.listener)
    }

    @Test
    fun `the preview is placed, photos are kept out of screenshots`() {
        launch()
        camera.listener!!.onPreview(FrameSize(480, 640))
        val guide = activity.findViewById<GuideView>(R.id.guide)!!
        assertEquals(0.75, guide.shown!!.width.toDouble() / guide.shown!!.height, 0.01)
        assertNotEquals(0, activity.window.attributes.flags and WindowManager.LayoutParams.FLAG_SECURE)
    }

    @Test
    @Config(qualifiers = "w360dp-h640dp", fontScale = 2f)
    fun `at twice the size of text everything can still be reached`() {
        launch()
        photograph("predicted/photo-4.jpg")
        val action = activity.findViewById<View>(R.id.action)!!
        val place = IntArray(2).also(action::getLocationInWindow)
        assertTrue("${place[1]} + ${action.height}", place[1] + action.height <= activity.window.decorView.height)
        assertTrue(action.height >= 48 * activity.resources.displayMetrics.density)
    }
}
