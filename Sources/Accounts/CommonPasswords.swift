// COLD. Passwords that are tried first: a list of words, and the ways in which people vary them.

/// The most common passwords, by a list of stems and rules that cover their variants.
///
/// A stem stands for itself, for itself in any case, with digits and signs before or behind it, with letters replaced by
/// digits and signs that look like them, and repeated. So about a thousand stems cover what lists of the three thousand
/// most common passwords hold, and much that they do not.
enum CommonPasswords {
    /// Fewest different characters of a password that is not just a pattern.
    private static let fewestDifferent = 5

    /// Whether `folded`, a password in lower case, is one of them.
    static func contains(_ folded: String) -> Bool {
        let characters = Array(folded.unicodeScalars)
        if Set(characters).count < fewestDifferent || isRun(characters) { return true }
        for form in [folded, plain(folded)] {
            let whole = Array(form.unicodeScalars)
            // What is varied is the word between the digits and signs; a stem may be all digits, so the whole as well.
            for part in [whole, stripped(whole)] {
                if isStem(part) || repeatedUnit(part).map(isStem) ?? false { return true }
            }
        }
        return false
    }

    private static func isStem(_ part: [Unicode.Scalar]) -> Bool {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: part)
        return stems.contains(String(text))
    }

    /// Characters that look like letters as those letters.
    private static func plain(_ text: String) -> String {
        let letters: [Unicode.Scalar: Unicode.Scalar] = [
            "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s", "!": "i",
            "€": "e",
        ]
        var out = String.UnicodeScalarView()
        // Digits at the end are mostly a number, not letters.
        let scalars = Array(text.unicodeScalars)
        let end = (scalars.lastIndex { $0.properties.isAlphabetic } ?? -1) + 1
        for (place, scalar) in scalars.enumerated() { out.append(place < end ? letters[scalar] ?? scalar : scalar) }
        return String(out)
    }

    /// Without what is no letter at both ends, and without signs and blanks within.
    private static func stripped(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
        guard let first = scalars.firstIndex(where: { $0.properties.isAlphabetic }),
            let last = scalars.lastIndex(where: { $0.properties.isAlphabetic })
        else { return scalars.filter { (0x30...0x39).contains($0.value) } }
        return scalars[first...last].filter { $0.properties.isAlphabetic || $0.properties.numericType != nil }
    }

    /// What a text repeats at least twice; the last time may be cut short.
    private static func repeatedUnit(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar]? {
        guard scalars.count >= 2 else { return nil }
        for length in 1...scalars.count / 2
        where scalars.indices.dropFirst(length).allSatisfy({ scalars[$0] == scalars[$0 - length] }) {
            return Array(scalars[..<length])
        }
        return nil
    }

    /// Whether it goes up or down by one, as in the alphabet, the digits or a row of the keyboard, nearly all the way.
    private static func isRun(_ scalars: [Unicode.Scalar]) -> Bool {
        guard scalars.count >= 4 else { return false }
        var steps = 0
        for (a, b) in zip(scalars, scalars.dropFirst()) where isNext(a, b) { steps += 1 }
        return steps * 5 >= (scalars.count - 1) * 4
    }

    private static let rows = [
        "qwertzuiop", "qwertyuiop", "azertyuiop", "asdfghjkl", "yxcvbnm", "zxcvbnm", "1234567890",
    ]
    .map { Array($0.unicodeScalars) }

    private static func isNext(_ a: Unicode.Scalar, _ b: Unicode.Scalar) -> Bool {
        if a.value + 1 == b.value || b.value + 1 == a.value { return true }
        return rows.contains { row in
            guard let x = row.firstIndex(of: a), let y = row.firstIndex(of: b) else { return false }
            return abs(x - y) == 1
        }
    }

    private static let stems = Set(list.split { $0 == " " || $0 == "\n" }.map(String.init))

    private static let list = """
        000000 010203 0852 0987654321 101010 102030 1029384756 1111 111111 112233 11223344 121212 123123 123321 1234
        12344321 12345 123456 1234567 12345678 123456789 1234567890 123456seven 123abc 123qwe 13579 147258 147258369
        147852 147852369 159357 159753 1a2b3c 1q2w3e 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qazxsw2 202020 2222 24680 2580
        258456 271828 314159 31415926 456789 555555 5683 654321 666666 741852963 777777 7777777 789456 789456123
        852456 888888 963852741 987654321 999999 a1b2c3 a1b2c3d4 aaaaaa aabbcc abba abc123 abcd abcd1234 abcde
        abcdef abcdefg abcdefgh abcdefghi abracadabra access acdc admin adminadmin administrator ahmed airforce ajax
        alejandro alessandro alexander alexandra alexis ali allah always amanda amazing amazon amelia america
        amsterdam andrea andreas andrew andrey android angel angelo angels anna anthony antonio anything apollo
        apple april argentina army arsenal asd123 asdf asdfasdf asdfgh asdfghjkl asdfjkl asdqwe ashley assassin
        asshole atlanta audi august austin australia austria autumn avengers awesome azerty azertyuiop babe baby
        babyboy babygirl backup bacon bailey banana bandit barbie barcelona bart baseball basketball bass bastard
        batman battery batterystaple bayern bbbbbb bear beatles beautiful beijing belgium bella benfica bentley
        berlin besiktas bestfriend beyonce bible bienvenue bigdick biker birthday bitch bitcoin biteme blaze blessed
        blessing blink182 blizzard blockchain blowme blueberry bmw bocajuniors bonjour bonjovi boobs boston boxing
        brandon brasil brazil brian brother buddha buddy budweiser bugatti bulls bunny burger business butter
        butterfly california camaro canada candy captain carlos cash cat catwoman celtic celtics champion change
        changeme charlie cheese cheetah chelsea cherry chevrolet chevy chewbacca chicago chicken china chloe
        chocolate chris christ christian christina christine christmas church ciao cinnamon class2020 class2021
        class2022 class2023 class2024 class2025 cobra cocacola coco coconut coffee coldplay college company computer
        confidential contrasena cookie cookies cool cooper corinthians corona correct correcthorse
        correcthorsebatterystaple corvette counter cowboys crazy cricket crypto crystal cunt cupcake cutie cycling
        daddy daisy dakota dallas dance dancer daniel darling database david deadpool debian december default delhi
        demo demon denmark denver designer desktop destiny detroit deutschland developer devil diablo diamond
        diamonds dick diego diesel director disney dmitri doctor dodge dodgers dog doggie doggy dollar dollars
        dolphin donald dontforget dortmund dragon dragonball drummer ducati duke dumbass dumbledore dvorak eagle
        eagles earth easter elephant elizabeth elvis emerald emily eminem emma energy engineer england espana
        espresso ethereum euro everton everything example facebook faith falcon family fantastic father fatima
        february felix fenerbahce fernando ferrari fighter finland fire fireman fishing flame flamengo florida
        flower flowers football ford forest forever forgetmenot fortnite fortune fox france francesco francisco
        francois frankfurt freedom freitag freshman friday friend friends frodo fruhling fuck fuckme fuckoff fuckyou
        funny gabriel galatasaray galaxy gandalf gangster garden garfield gateway geek geheim genius george germany
        ghost ginger giovanni giraffe giuseppe god godzilla goku gold golden golf goodbye goofy google gorgeous
        gorilla grace graduate grandma greenday gryffindor guest guinness guitar hacker haha hahaha hakunamatata
        hallo halloween halo hamburg hamster hannah happiness happy harley harrypotter haslo hawaii hawk heaven
        heineken hello hello1 hellohello hellokitty helloworld herbst hermione hero heroes heslo highschool hihihi
        hiphop hobbit hockey hogwarts hola holiday holland homer honda honey hope horse hotstuff hottie houston hugo
        hulk hummer hunter hunting hurricane iamgroot ice iceman ichliebedich idiot idontknow iforgot
        iforgotmypassword ihatepasswords ilovegod iloveme iloveu iloveyou iloveyou2 india indonesia insane instagram
        inter internet iphone ireland ironmaiden ironman isabella istanbul italia italy ivan jack jaguar jake james
        january japan jasmine jean jedi jeep jennifer jessica jesus jesuschrist jetaime john joker jordan jose
        joseph joshua juan julia july june junior jupiter jurgen justice justin juventus karate kawasaki kennwort
        kevin key keyboard keys killer king kingkong kisses kissme kitten kitty klaus knight koala koeln korea korn
        krishna lakers lamborghini laptop lasvegas laugh laura lawyer legend legolas lemon lena leopard letmein
        letmeinnow liberty lightning lily linkedin linkinpark linux lion lisa lisboa liverpool lkjhgfdsa lmao lock
        login loginlogin logon lol lollol london losenord loser love lovelove lovely loveme lover loveyou luca lucas
        lucifer lucky lucy lunatic macintosh madonna madrid maggie magic mama mamapapa manager manchester mango
        march marco maria marie marina marine mario mars martin maserati master mateus matrix matthew maverick max
        may maytheforcebewithyou mazda megadeth melbourne melissa mercedes mercury metal metallica mexico mia miami
        michael michelle mickey microsoft miguel milan million millionaire minecraft minnie mnbvcxz mohamed molly
        mommy monday money moneymoney monkey montag moon moonlight mordor moron morpheus moscow motdepasse mother
        motorola mountain mouse muenchen mumbai munich murphy music mustang mypass mypassword mysecret mysql naruto
        natalia natasha navy nemo neo nerd netflix network nevergonnagiveyouup newpassword newyork nicholas nicolas
        nicole ninja nintendo nirvana nissan nobody nokia none nopassword norway nothing november null nurse oasis
        ocean october office oldpassword olga oliver olivia omg onepiece onetwothree onetwothreefour openid
        opensesame openthedoor openup oracle orange orchid oscar outlaw packers pakistan palmeiras panda pantera
        panther papa paris parola pass pass1 passcode passord passw0rd passwd password password1 passwordpassword
        passwort patricia patrick patriots paul peace peach peanut pearl pedro penguin penis pepper pepsi perfect
        personal peter phantom philadelphia philippines phoenix piano pierre pikachu pineapple pirate pizza planet
        platinum playstation pluto poipoi poiuytrewq pokemon poland police polska pony pooh popstar porsche
        portcullis porto portugal postgres potter power praise president pretty prince princess private programmer
        psycho puppy pussy q1w2e3r4 q1w2e3r4t5 qazwsx qazwsxedc qqqqqq queen quickbrownfox qwe123 qweasd qweasdzxc
        qwer qwerty qwerty123 qwertyuiop qwertz qwertzuiop qwqwqw rabbit racer rachel racing rafael rain rainbow
        rambo rammstein ranger rangers raven realmadrid rebecca rebel redsox rememberme retard rich rihanna riley
        river robert robin roblox rocket rocknroll rockstar rocky roma rooster root rootroot rose ruby rugby running
        russia rusty ryan sabine safe safety salasana sam samantha sammy sample samsung samurai sapphire sarah
        sasuke satan saturday saturn schalke school scooby scorpion scotland season seattle secret secretary secrets
        secure security senha senior seoul september sergey server service sexy sexygirl shadow shanghai shark shit
        shrek silver simba simpsons singer sister skateboard skywalker slayer slipknot smile smiley smiling smokey
        snake sniper snoopy snow snowboard snowflake snowman soccer soldier somebody something sommer sonic sonntag
        sony sophie spain sparky special spider spiderman spirit sporting spotify spring staple star starcraft
        stargate starlight stars startrek starwars stealth steelers stefan stephanie steven storm strawberry strike
        student stupid subaru sucker suckit sugar summer sunday sunflower sunshine super
        supercalifragilisticexpialidocious superman superstar support surfing suzuki sverige svetlana sweden
        sweetheart swimming switzerland sydney system taylor teacher teamo techno temp temporary tennis tequiero
        tequila terminator test tester testing testtest texas thailand thepassword thequickbrownfox thomas thor
        thunder thursday tiger tigger tobeornottobe toby together tokiohotel tokyo toor tornado tottenham toyota
        trinity trucker trust trustno1 truth tuesday tulip tupac turbo turkey turtle twitter tyler u2 ubuntu ukraine
        undefined unicorn united universe university unlock user useruser vader vanessa vegas vegeta venus veronica
        victoria vietnam viper vodka volkswagen volleyball wachtwoord wallet warcraft warrior warriors washington
        watermelon weather wednesday weekend welcome werder whale whatever whiskey wien william willkommen windows
        winner winter winteriscoming wisdom wizard wolf wolfgang wolverine world wrestling wtf wwwwww xbox xxx
        xxxxxx yamaha yankees yoda yourpassword youshallnotpass youtube yxcvbnm zaq12wsx zaq1zaq1 zelda zoe zxc123
        zxcvbn zxcvbnm zxczxc zzzzzz
        """
}
