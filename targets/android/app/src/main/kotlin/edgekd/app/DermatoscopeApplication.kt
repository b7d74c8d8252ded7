package edgekd.app

import android.app.Application
import android.content.res.AssetManager
import edgekd.Edgekd
import edgekd.Options
import edgekd.android.bytesOf
import edgekd.android.openAsset
import edgekd.app.camera.Camera
import edgekd.app.camera.PlatformCamera
import edgekd.app.state.ClassifierDecider
import edgekd.app.state.Decider
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/** Names of the assets; `edgekd build --target android --app` writes them. */
internal const val BUNDLE = "model.edgekd"
internal const val PUBLIC_KEY = "key.pub.pem"

/** Where the activity gets the camera and the bundle. */
open class DermatoscopeApplication : Application() {
    /** The phone's camera. */
    open fun camera(): Camera = PlatformCamera(this)

    /** The bundle among the assets, and the public key beside it. */
    open suspend fun openBundle(): Decider = withContext(Dispatchers.Default) { openDecider(assets, BUNDLE, PUBLIC_KEY) }
}

/** Open a bundle; where the assets have the public key, only if it is signed with its private half. */
internal fun openDecider(
    assets: AssetManager,
    bundle: String,
    publicKey: String,
): Decider {
    val key = if (publicKey in assets.list("").orEmpty()) assets.bytesOf(publicKey) else null
    return ClassifierDecider(Edgekd.openAsset(assets, bundle, Options(publicKey = key)))
}
