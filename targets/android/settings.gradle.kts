pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}
dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "edgekd"

// Each has a pom.xml beside it, but for `camerax`, whose libraries are on Google's Maven alone.
include(":core", ":engine-onnxruntime", ":engine-litert", ":android", ":camerax", ":app")
listOf("core", "engine-onnxruntime", "engine-litert", "android", "camerax").forEach {
    project(":$it").projectDir = file("runtime/$it")
}
