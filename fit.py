from clumpygan.commands.fit import main

if __name__ == "__main__":  # its processes import this file again
    main()
