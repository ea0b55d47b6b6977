{
  # The build is described once, in CMakeLists.txt: node-gyp and prebuildify only start it.
  "targets": [
    {
      "target_name": "cellroute",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "message": "Building the addon through CMake",
          "inputs": ["CMakeLists.txt", "<!@(node scripts/native-files.mjs)"],
          "outputs": ["<(PRODUCT_DIR)/cellroute.node"],
          "action": ["node", "scripts/build.mjs", "--native"]
        }
      ]
    }
  ]
}
