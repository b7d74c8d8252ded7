package edgekd.app

import android.content.Context
import android.content.pm.ApplicationInfo
import android.content.pm.PackageManager
import android.content.res.Configuration
import android.graphics.Color
import android.view.View
import edgekd.testing.DeviceRunner
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import java.util.Locale

/** WCAG 2.2, 1.4.3: text has at least this contrast. */
private const val LEAST_CONTRAST = 4.5f

@RunWith(DeviceRunner::class)
@Config(application = AppUnderTest::class)
class ResourcesTest {
    private val context: Context = RuntimeEnvironment.getApplication()

    private fun localised(change: Configuration.() -> Unit): Context =
        context.createConfigurationContext(Configuration(context.resources.configuration).apply(change))

    @Test
    fun `every sentence is there in German, with the same places for names`() {
        val english = localised { setLocale(Locale.ENGLISH) }
        val german = localised { setLocale(Locale.GERMAN) }
        val ids = R.string::class.java.fields.map { it.getInt(null) }
        assertTrue(ids.size > 30)
        val places = Regex("%\\d\\\$s")
        for (id in ids) {
            val name = context.resources.getResourceEntryName(id)
            val texts = listOf(english, german).map { it.resources.getText(id).toString() }
            assertNotEquals(name, texts[0], texts[1])
            assertEquals(name, places.findAll(texts[0]).map { it.value }.toSet(), places.findAll(texts[1]).map { it.value }.toSet())
        }
    }

    @Test
    fun `text can be read, in light and in dark`() {
        val pairs =
            listOf(R.color.text, R.color.text_detail, R.color.answer, R.color.refer, R.color.retake).map { it to R.color.background } +
                listOf(R.color.warning_text to R.color.warning_background, R.color.button_text to R.color.button_background)
        val backgrounds =
            listOf(Configuration.UI_MODE_NIGHT_NO, Configuration.UI_MODE_NIGHT_YES).map { night ->
                val themed = localised { uiMode = night or Configuration.UI_MODE_TYPE_NORMAL }
                for ((text, background) in pairs) {
                    val contrast = contrast(themed.getColor(text), themed.getColor(background))
                    val name = context.resources.getResourceEntryName(text)
                    assertTrue("$name: $contrast", contrast >= LEAST_CONTRAST)
                }
                themed.getColor(R.color.background)
            }
        assertNotEquals(backgrounds[0], backgrounds[1])
    }

    private fun contrast(
        one: Int,
        other: Int,
    ): Float {
        val (low, high) = listOf(Color.luminance(one), Color.luminance(other)).sorted()
        return (high + 0.05f) / (low + 0.05f)
    }

    @Test
    fun `the camera is all that the app asks for, and nothing is backed up`() {
        val facts = context.packageManager.getPackageInfo("edgekd.app", PackageManager.GET_PERMISSIONS)
        assertEquals(listOf("android.permission.CAMERA"), facts.requestedPermissions!!.toList())
        assertEquals(0, facts.applicationInfo!!.flags and ApplicationInfo.FLAG_ALLOW_BACKUP)
    }

    @Test
    fun `what shows pictures has descriptions`() {
        val layout = View.inflate(context, R.layout.main, null)
        for (id in listOf(R.id.preview, R.id.frozen)) {
            assertTrue(layout.findViewById<View>(id)!!.contentDescription.isNotEmpty())
        }
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE, layout.findViewById<View>(R.id.headline)!!.accessibilityLiveRegion)
        assertEquals(View.IMPORTANT_FOR_ACCESSIBILITY_NO, layout.findViewById<View>(R.id.guide)!!.importantForAccessibility)
    }
}
