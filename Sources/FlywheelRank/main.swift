print("flywheel-rank")
